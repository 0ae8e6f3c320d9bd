// A click on a button beside a command puts the command on the clipboard, and says so.
for (const button of document.querySelectorAll("button.copy")) {
  const command = button.parentElement.querySelector("code");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command); // no clipboard for this page: it is selected, to be copied by hand
      button.textContent = "selected";
      return;
    }
    button.textContent = "copied";
  });
}

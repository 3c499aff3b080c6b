// JSON is checked while it is typed: a form with anything else is not sent, and so nothing that was typed is lost.
document.addEventListener("input", ({ target }) => {
  if (target instanceof HTMLTextAreaElement && target.matches("[data-json]"))
    target.setCustomValidity(problemOf(target.value));
});

/** "": there is none. */
function problemOf(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is not JSON: ${error.message}`;
  }
}

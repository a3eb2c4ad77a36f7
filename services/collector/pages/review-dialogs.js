// Questions that come before the work, and the list of shortcuts.

const byId = (id) => document.getElementById(id);
const ask = {
  answer: byId("answer"),
  dialog: byId("ask"),
  form: byId("ask-form"),
  label: byId("ask-label"),
  text: byId("ask-text"),
  title: byId("ask-title"),
};
const help = byId("help");

let asking = null; // one question at a time; the others wait for its answer

// The answer of somebody who cannot go on without giving one.
export async function question(wording) {
  while (asking) await asking;
  asking = new Promise((resolve) => {
    ask.title.textContent = wording.title;
    ask.text.textContent = wording.text;
    ask.label.textContent = wording.label;
    ask.answer.type = wording.isSecret ? "password" : "text";
    ask.answer.value = wording.answer ?? "";
    ask.form.onsubmit = (event) => {
      event.preventDefault();
      const answer = ask.answer.value.trim();
      if (!answer) return;
      ask.dialog.close();
      resolve(answer);
    };
    ask.dialog.showModal();
    ask.answer.select();
  });
  try {
    return await asking;
  } finally {
    asking = null;
  }
}

ask.dialog.addEventListener("cancel", (event) => event.preventDefault());

export const isOpen = () => ask.dialog.open || help.open;

export const showHelp = () => help.showModal();

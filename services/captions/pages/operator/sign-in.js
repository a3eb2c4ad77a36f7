// Asks for the operator's token when one is wanted, and says what it is.

import { Refused, checkAccess, ensureAccess } from "../shared/access.js";
import { element } from "../shared/dom.js";
import { signInForm } from "../shared/sign-in.js";
import { listSessions } from "./operator-api.js";

const RETRY_MS = 2_000;

const WORDS =
  "This page is for operators: it changes what everybody reads, so it wants the operator’s token. Whoever set Glossa up has it. " +
  "It is GLOSSA_CAPTIONS_OPERATOR_TOKEN, or comes with a link that ends in #token=….";

let asked = null; // one question at a time

/** Ends once this browser may operate; `explain(text)` tells people what it waits for meanwhile. */
export async function signedIn(explain) {
  for (;;) {
    try {
      const may = await ensureAccess();
      if (!may.operate) await listSessions(); // says why
      explain("");
      return;
    } catch (error) {
      const isRefused = error instanceof Refused;
      if (isRefused && error.reason !== "NO_TOKEN_SET") {
        await askForToken();
        continue;
      }
      explain(isRefused ? `Nobody can operate yet: ${error.message}.` : "The captions service does not answer. It is tried again.");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Asks until a token is given that lets operate. */
export function askForToken() {
  asked ??= new Promise((resolve) => {
    const dialog = questionDialog();
    const ask = (message) => {
      const form = signInForm(message, async () => {
        const may = await checkAccess().catch(() => ({}));
        if (!may.operate) {
          ask("With this token one reads or speaks, but does not operate. Ask for the operator’s.");
          return;
        }
        dialog.remove();
        asked = null;
        resolve();
      });
      dialog.querySelector("form")?.remove();
      dialog.append(form);
      form.querySelector("input").focus();
    };
    ask("");
    dialog.showModal();
  });
  return asked;
}

function questionDialog() {
  const dialog = element("dialog");
  const title = element("h2", "", "Who may operate?");
  title.id = "sign-in-title";
  dialog.setAttribute("aria-labelledby", title.id);
  // There is nothing to do here without a token.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.append(title, element("p", "", WORDS));
  document.body.append(dialog);
  return dialog;
}

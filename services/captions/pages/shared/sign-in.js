// Asks a person for the token that the service wants.

import { Refused, signIn } from "./access.js";
import { element } from "./dom.js";

/**
 * A form of the class "sign-in" that asks for a token.
 * @param {string} message why it is wanted
 * @param {() => void} onSignedIn
 */
export function signInForm(message, onSignedIn) {
  const form = element("form", "sign-in");
  const label = element("label", "", "Token ");
  const field = element("input");
  field.type = "password";
  field.autocomplete = "off";
  field.required = true;
  label.append(field);
  const button = element("button", "", "Open");
  const notice = element("p", "sign-in-notice", message);
  notice.setAttribute("role", "alert");
  form.append(notice, label, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await signIn(field.value);
      onSignedIn();
    } catch (error) {
      notice.textContent = error instanceof Refused ? sentence(error.message) : "No connection. Try again.";
      field.value = "";
      field.focus();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

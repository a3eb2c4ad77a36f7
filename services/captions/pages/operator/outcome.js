// Says how an action went, to eyes and to screen readers.

import { Refused } from "../shared/access.js";
import { askForToken } from "./sign-in.js";

const WANTS_TOKEN = new Set(["TOKEN_WANTED", "TOKEN_UNKNOWN", "TOKEN_EXPIRED", "ROLE_TOO_SMALL"]);

const byId = (id) => document.getElementById(id);

export function say(text) {
  byId("outcome").textContent = text;
  byId("notice").textContent = "";
}

export function warn(text) {
  byId("notice").textContent = text;
}

/**
 * Runs an action and says how it went. A token that is wanted is asked for, and the action tried again.
 * @returns {Promise<boolean>} whether it went well
 */
export async function attempt(action, done, failed) {
  try {
    await withToken(action);
  } catch (error) {
    warn(`${failed}: ${wordsOf(error)}`);
    return false;
  }
  say(done);
  return true;
}

/** The action's answer; asks for a token where one is wanted. Throws what the action throws otherwise. */
export async function withToken(action) {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Refused) || !WANTS_TOKEN.has(error.reason)) throw error;
      await askForToken();
    }
  }
}

/** An error as a sentence. */
export function wordsOf(error) {
  if (error instanceof Refused) return sentence(error.message);
  // What fetch itself says differs between browsers and helps nobody.
  const isFetch = error instanceof TypeError || error.name === "AbortError" || error.name === "TimeoutError";
  return isFetch ? "the captions service does not answer. Try again." : sentence(error.message);
}

const sentence = (text) => (text.endsWith(".") ? text : `${text}.`);

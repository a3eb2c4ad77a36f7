// /overlay?help=1: every parameter in a form, what it does shown at once, and the address to copy.

import { PARAMETERS } from "./look.js";
import { element } from "../shared/dom.js";

const SENTENCE_MS = 3500;
const SAMPLE = [
  ["Good morning, and welcome.", "Buenos días y bienvenidos."],
  ["A table grows longer when someone pulls up another chair.", "Una mesa se hace más larga cuando alguien acerca otra silla."],
  ["Nobody in this room has to earn a place at it.", "Nadie en esta sala tiene que ganarse un lugar en ella."],
  ["So bring what you have, and sit down with us.", "Así que traigan lo que tienen y siéntense con nosotros."],
];

/** Shows the card over a sample; `values` are changed as the form is, then `apply` is called. */
export function openHelp({ values, problems, takeEvent, apply }) {
  const style = element("link");
  style.rel = "stylesheet";
  style.href = "overlay/help.css";
  document.head.append(style);
  const card = document.getElementById("help");
  const address = element("output", "address");
  const notice = element("p", "notice", problems.join("\n"));
  notice.setAttribute("role", "status");
  const form = element("form");
  form.append(...Object.entries(PARAMETERS).map(([name, definition]) => field(name, definition)));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    notice.textContent = take(form, values).join("\n");
    address.textContent = addressOf(form);
    apply();
  });
  address.textContent = addressOf(form);
  card.append(
    element("h2", "", "Captions over a stream"),
    element("p", "", "Try the parameters here, then give the address to OBS: Sources, Browser, URL; width and height those of the stream."),
    address,
    notice,
    form,
  );
  card.hidden = false;
  playSample(takeEvent);
}

function field(name, { expects, example, about }) {
  const label = element("label");
  const input = element("input");
  input.name = name;
  input.placeholder = example;
  input.value = new URLSearchParams(location.search).get(name) ?? "";
  input.autocomplete = "off";
  label.append(element("code", "", name), input, element("span", "", `${about} (${expects})`));
  return label;
}

// Puts what is understood into `values`; gives what is not.
function take(form, values) {
  const problems = [];
  for (const [name, { fallback, expects, parse }] of Object.entries(PARAMETERS)) {
    const given = form.elements.namedItem(name).value;
    const value = given ? parse(given) : fallback;
    if (value === undefined) problems.push(`${name} takes ${expects}`);
    values[name] = value ?? fallback;
  }
  return problems;
}

function addressOf(form) {
  const given = [...new FormData(form)].filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  return `${location.origin}${location.pathname}${query ? `?${query}` : ""}`;
}

function playSample(takeEvent) {
  const info = { session_id: "sample", title: "", source_language: "en", target_languages: ["es"], is_live: true };
  takeEvent({ chosen: info });
  takeEvent({ caught_up: { sequence: 0 } });
  let number = 0;
  const say = () => {
    const texts = SAMPLE[number % SAMPLE.length];
    number += 1;
    ["en", "es"].forEach((language, index) => {
      takeEvent({ caption: final(number, language, texts[index]) });
      const next = SAMPLE[number % SAMPLE.length][index].split(" ").slice(0, 3).join(" ");
      takeEvent({ caption: { ...final(number + 1, language, ""), is_final: false, unstable_text: next } });
    });
  };
  say();
  setInterval(say, SENTENCE_MS);
}

const final = (segmentId, language, stableText) => ({
  segment_id: segmentId,
  language,
  revision: 1,
  is_final: true,
  stable_text: stableText,
  unstable_text: "",
  is_corrected: false,
});

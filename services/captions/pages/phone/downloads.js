// Links to a session's whole text, as files for people to keep.

import { element } from "../shared/dom.js";
import { languageName } from "../shared/languages.js";

/**
 * The links of a session in one language, and in both where there are two.
 * @param {string} sessionId
 * @param {string} language
 * @param {string} source the language spoken
 * @returns {HTMLLIElement[]}
 */
export function downloadLinks(sessionId, language, source) {
  const name = languageName(language);
  const links = [
    link(sessionId, "txt", { language }, `Text, ${name} (TXT)`),
    link(sessionId, "vtt", { language }, `Subtitles, ${name} (VTT)`),
    link(sessionId, "srt", { language }, `Subtitles, ${name} (SRT)`),
    link(sessionId, "json", {}, "Everything, for programs (JSON)"),
  ];
  if (language !== source) {
    const both = `Text, ${name} and ${languageName(source)} (TXT)`;
    links.splice(1, 0, link(sessionId, "txt", { language, second: source }, both));
  }
  return links;
}

function link(sessionId, extension, query, text) {
  const anchor = element("a", "", text);
  const path = `sessions/${encodeURIComponent(sessionId)}/captions.${extension}`;
  const search = new URLSearchParams(query).toString();
  anchor.href = search ? `${path}?${search}` : path;
  anchor.download = ""; // the service names the file
  if (query.language) anchor.hreflang = query.language;
  const item = element("li");
  item.append(anchor);
  return item;
}

// Languages by their BCP 47 tags: which match, what they call themselves, which way they run.

// Where the browser has no Intl.DisplayNames: the languages that churches ask for most.
const OWN_NAMES = {
  __proto__: null, // a tag is whatever somebody sends, "constructor" too
  am: "አማርኛ", ar: "العربية", bg: "Български", cs: "Čeština", da: "Dansk", de: "Deutsch", el: "Ελληνικά",
  en: "English", es: "Español", fa: "فارسی", fi: "Suomi", fr: "Français", he: "עברית", hi: "हिन्दी",
  hr: "Hrvatski", hu: "Magyar", id: "Indonesia", it: "Italiano", ja: "日本語", ko: "한국어", nl: "Nederlands",
  no: "Norsk", pl: "Polski", pt: "Português", ro: "Română", ru: "Русский", sk: "Slovenčina",
  sr: "Српски", sv: "Svenska", sw: "Kiswahili", ta: "தமிழ்", th: "ไทย", ti: "ትግርኛ", tl: "Tagalog",
  tr: "Türkçe", uk: "Українська", ur: "اردو", vi: "Tiếng Việt", yo: "Yorùbá", zh: "中文",
};

// ISO 15924 scripts that run from right to left, and the languages that are written in one of them
// when their tag names no script (Unicode CLDR, likely subtags).
const RTL_SCRIPTS = new Set("adlm arab hebr mand mend nkoo rohg samr sogd syrc thaa".split(" "));
const RTL_LANGUAGES = new Set(
  "ar arc arz apc ary acm ajp aeb ckb dv fa glk he iw ji ks mzn nqo pnb ps sd syr ug ur yi".split(" "),
);

// Written without spaces between words.
const UNSPACED_LANGUAGES = new Set("zh yue ja th lo km my bo dz".split(" "));

const subtags = (tag) => tag.toLowerCase().split("-");

/** Whether `tag` is the language that was asked for: "es" takes "es-MX", too. */
export function matches(tag, asked) {
  const [own, wanted] = [tag.toLowerCase(), asked.toLowerCase()];
  return own === wanted || own.startsWith(`${wanted}-`);
}

/**
 * The first of `available` that suits somebody who prefers `preferences` in this order; "" when none
 * does. A reader of "pt-BR" is served by "pt", and by "pt-PT" before any other language.
 */
export function closest(available, preferences) {
  for (const asked of preferences) {
    if (!asked) continue;
    const found =
      available.find((tag) => matches(tag, asked)) ??
      available.find((tag) => matches(asked, tag)) ??
      available.find((tag) => subtags(tag)[0] === subtags(asked)[0]);
    if (found) return found;
  }
  return "";
}

const names = new Map();

/** The language's own name for itself, as a reader of it looks for it; the tag when nobody knows it. */
export function languageName(tag) {
  if (!names.has(tag)) {
    let name = tag;
    try {
      name = new Intl.DisplayNames([tag], { type: "language", fallback: "none" }).of(tag) ?? tag;
    } catch {
      // No Intl.DisplayNames here, or not a language tag.
    }
    if (name === tag) name = OWN_NAMES[subtags(tag)[0]] ?? tag;
    names.set(tag, name.charAt(0).toUpperCase() + name.slice(1));
  }
  return names.get(tag);
}

/** "rtl" or "ltr": which way text in this language runs. */
export function direction(tag) {
  const [language, ...rest] = subtags(tag);
  const script = rest.find((each) => /^[a-z]{4}$/.test(each));
  const isRtl = script ? RTL_SCRIPTS.has(script) : RTL_LANGUAGES.has(language);
  return isRtl ? "rtl" : "ltr";
}

/** What stands between two pieces of text in this language: a space, or nothing. */
export const joint = (tag) => (UNSPACED_LANGUAGES.has(subtags(tag)[0]) ? "" : " ");

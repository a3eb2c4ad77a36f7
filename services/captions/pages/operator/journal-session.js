// One session as its journal and its live updates leave it, with all that operators look at beside
// the text. No DOM.

import { Timings } from "./timings.js";

// Of each; the oldest go. A day of preaching has fewer.
const SEGMENTS_LIMIT = 3_000;
const NOTES_LIMIT = 300;

export class JournalSession {
  info = { title: "", source_language: "", target_languages: [] };
  isStarted = false;
  isHeld = false;
  isEnded = false;
  isForgotten = false;
  resetSegmentId = 0; // the last final before the screens were emptied
  sequence = 0;
  segments = new Map(); // id -> Segment
  notes = []; // {key, startMs, text}: what was not written, and why
  timings = new Timings();

  // A FollowResponse by its proto names -> what changed: {segmentId}, {frame}, {note}, {forgotten}.
  take({ event, live }) {
    if (event) {
      if (event.session_id) this.sequence = Number(event.sequence);
      return this.#takeEvent(event);
    }
    if (live) return this.#takeLive(live);
    return {};
  }

  get languages() {
    return [this.info.source_language, ...(this.info.target_languages ?? [])].filter(Boolean);
  }

  #takeEvent(event) {
    if (event.session_started) {
      this.info = { ...this.info, ...event.session_started.config, start_time: event.time };
      this.isStarted = true;
      return { frame: true };
    }
    if (event.transcript) return this.#write(transcriptLine(event.transcript, this.info.source_language));
    if (event.translation) return this.#write(translationLine(event.translation));
    if (event.alternative_translation) return this.#compare(event.alternative_translation);
    if (event.pair_scored) return this.#score(event.pair_scored);
    if (event.correction) return this.#correct(event.correction);
    if (event.translation_failed) return this.#fail(event.translation_failed);
    if (event.segment_hidden) {
      const segment = this.#segment(event.segment_hidden.segment_id);
      segment.isHidden = Boolean(event.segment_hidden.is_hidden);
      return { segmentId: segment.id };
    }
    return this.#takeStateEvent(event);
  }

  #takeStateEvent(event) {
    if (event.session_held) this.isHeld = Boolean(event.session_held.is_held);
    else if (event.session_reset) this.resetSegmentId = Number(event.session_reset.segment_id ?? 0);
    else if (event.session_ended) this.isEnded = true;
    else if (event.audio_gap) return this.#note(event, gapText(event.audio_gap), gapStartMs(event.audio_gap));
    else if (event.segment_suppressed) {
      const { reason, text = "", start_offset_ms = 0 } = event.segment_suppressed;
      return this.#note(event, `not shown (${reason})${text ? `: “${text}”` : ""}`, Number(start_offset_ms));
    } else if (event.session_forgotten) {
      this.isForgotten = true;
      return { forgotten: true };
    } else return {};
    return { frame: true };
  }

  #takeLive({ transcript, translation, segment_dropped: dropped }) {
    if (dropped) {
      const id = Number(dropped.segment_id);
      const segment = this.segments.get(id);
      if (!segment || [...segment.lines.values()].some((line) => line.is_final)) return {};
      this.segments.delete(id);
      return { segmentId: id };
    }
    if (transcript) return this.#write(transcriptLine(transcript, this.info.source_language));
    return translation ? this.#write(translationLine(translation)) : {};
  }

  #segment(segmentId) {
    const id = Number(segmentId);
    let segment = this.segments.get(id);
    if (!segment) {
      segment = { id, startMs: 0, isHidden: false, lines: new Map(), alternatives: new Map(), failures: new Map() };
      this.segments.set(id, segment);
      if (this.segments.size > SEGMENTS_LIMIT) this.segments.delete(Math.min(...this.segments.keys()));
    }
    return segment;
  }

  // A journalled final beats whatever live update comes late.
  #write({ segmentId, startMs, line, isJournalled }) {
    const segment = this.#segment(segmentId);
    if (startMs !== undefined) segment.startMs = startMs;
    if (isJournalled) this.timings.add(line.language, "A", segment.id, line.engine_ms, line.model);
    const old = segment.lines.get(line.language);
    if (old && old.revision >= line.revision) return {};
    segment.lines.set(line.language, { ...line, signals: old?.signals ?? null });
    return { segmentId: segment.id };
  }

  #compare(alternative) {
    const { segmentId, line } = translationLine(alternative);
    const segment = this.#segment(segmentId);
    segment.alternatives.set(line.language, line);
    this.timings.add(line.language, "B", segment.id, line.engine_ms, line.model);
    return { segmentId: segment.id };
  }

  #score({ translation, signals = [] }) {
    const segment = this.#segment(translation.segment_id);
    const line = segment.lines.get(translation.language);
    if (line) line.signals = signals;
    return { segmentId: segment.id };
  }

  #correct({ segment_id, language, revision, text, author = "" }) {
    const segment = this.#segment(segment_id);
    const old = segment.lines.get(language);
    if (old && old.revision >= Number(revision)) return {};
    segment.lines.set(language, {
      ...(old ?? emptyLine(language)),
      revision: Number(revision),
      is_final: true,
      stable_text: text,
      unstable_text: "",
      is_corrected: true,
      author,
    });
    return { segmentId: segment.id };
  }

  #fail({ segment_id, language, reason }) {
    const segment = this.#segment(segment_id);
    segment.failures.set(language, reason);
    if (!segment.lines.get(language)?.is_final) segment.lines.delete(language);
    return { segmentId: segment.id };
  }

  #note(event, text, startMs) {
    const note = { key: `note-${event.sequence}`, startMs, text };
    this.notes.push(note);
    if (this.notes.length > NOTES_LIMIT) this.notes.shift();
    return { note };
  }
}

// A caption as pages/shared shows it, and what operators see beside it.
function emptyLine(language) {
  return {
    language,
    revision: 0,
    is_final: false,
    stable_text: "",
    unstable_text: "",
    is_corrected: false,
    author: "", // of a correction
    flags: [],
    engine_ms: 0,
    model: "",
    signals: null, // of the machine's text; null: not scored yet
  };
}

function transcriptLine(transcript, sourceLanguage) {
  const isFinal = Boolean(transcript.is_final);
  return {
    segmentId: transcript.segment_id,
    startMs: Number(transcript.start_offset_ms ?? 0),
    isJournalled: isFinal,
    line: {
      ...emptyLine(transcript.language || sourceLanguage),
      revision: Number(transcript.revision ?? 0),
      is_final: isFinal,
      stable_text: transcript.stable_text ?? "",
      unstable_text: transcript.unstable_text ?? "",
      flags: transcript.flags ?? [],
      engine_ms: Number(transcript.engine_ms ?? 0),
      model: transcript.model ?? "",
    },
  };
}

function translationLine(translation) {
  const isFinal = Boolean(translation.is_final);
  const text = translation.text ?? "";
  const settled = isFinal ? text : (translation.stable_text ?? "");
  const stable = text.startsWith(settled) ? settled : "";
  return {
    segmentId: translation.segment_id,
    isJournalled: isFinal,
    line: {
      ...emptyLine(translation.language),
      revision: Number(translation.revision ?? 0),
      is_final: isFinal,
      stable_text: stable,
      unstable_text: text.slice(stable.length),
      flags: translation.flags ?? [],
      engine_ms: Number(translation.engine_ms ?? 0),
      model: translation.model ?? "",
    },
  };
}

const SAMPLES_PER_MS = 16;

const gapStartMs = (gap) => Number(gap.first_sample ?? 0) / SAMPLES_PER_MS;

function gapText(gap) {
  const ms = (Number(gap.next_sample ?? 0) - Number(gap.first_sample ?? 0)) / SAMPLES_PER_MS;
  const length = `${(ms / 1000).toFixed(1)} s`;
  if (gap.reason === "HELD") return `${length} held: not written`;
  return gap.reason ? `${length} could not be recognised (${gap.reason})` : `${length} of audio never came`;
}

// What one session shows, as its events leave it. No network, no page.
//
// Beside the events of /ws a feed says two things of its own: {chosen: info or null}, when another session
// is followed, or this one from its beginning: what was known is void; and {opened: true}, when a
// connection begins: a partial that does not come again until caught_up is over.

const NO_SCREENS = { is_blank: false, announcement: "", language: "" };

/** The state of the session that a feed follows; `take` is the only way to change it. */
export class Captions {
  constructor() {
    /** {session_id, title, source_language, target_languages, is_live}; null without a session. */
    this.info = null;
    /** Segments by id: {id, captions: Map(language -> caption), isHidden}. */
    this.segments = new Map();
    /** Whether an operator holds the session. */
    this.isHeld = false;
    /** Each reset's last segment before it, oldest first. */
    this.resets = [];
    /** What all screens show: {is_blank, announcement, language}. */
    this.screens = NO_SCREENS;
    /** Whether everything that was there has come; until then a page need not paint. */
    this.isCaughtUp = false;
    /** Engine and model by language, the newest. */
    this.models = new Map();
    this.opened = 0; // counts connections, to tell the partials of an earlier one
    this.areScreensOld = false;
  }

  /** The last segment that a screen which rolls does not show any more; 0 for none. */
  get resetSegmentId() {
    return this.resets[this.resets.length - 1] ?? 0;
  }

  /**
   * Takes one event and says what it changed: {} for nothing, else some of
   * {all: true} - everything, begin anew; {segmentId, final}: this segment, `final` is the caption when a
   * final came for the first time; {info: true}: title, languages, live, held; {screens: true};
   * {caughtUp: true}: paint it all.
   */
  take(event) {
    if ("chosen" in event) return this.#choose(event.chosen);
    if (event.opened) {
      this.opened += 1;
      return {};
    }
    if (event.caption) return this.#takeCaption(event.caption);
    if (event.caption_dropped) return this.#drop(event.caption_dropped);
    if (event.segment_hidden) return this.#hide(event.segment_hidden);
    if (event.session_reset) return this.#reset(event.session_reset);
    if (event.screens) {
      this.screens = event.screens;
      this.areScreensOld = false;
      return { screens: true };
    }
    if (event.caught_up) return this.#catchUp();
    return this.#takeSession(event);
  }

  #choose(info) {
    this.info = info && { ...info };
    this.segments.clear();
    this.models.clear();
    this.resets = [];
    this.isHeld = info?.is_held ?? false;
    this.isCaughtUp = false;
    this.areScreensOld = true; // they come again, if there are any
    return { all: true, info: true };
  }

  #takeSession(event) {
    if (event.session_forgotten) return this.#choose(null);
    if (!this.info) return {};
    if (event.session_started) Object.assign(this.info, event.session_started);
    else if (event.session_held) this.isHeld = event.session_held.is_held;
    else if (event.session_ended) {
      this.info.is_live = false;
      this.isHeld = false;
      return this.#dropPartials(() => true) ? { info: true, all: true } : { info: true };
    } else return {};
    return { info: true };
  }

  #takeCaption(caption) {
    const { segment_id: segmentId, language } = caption;
    let segment = this.segments.get(segmentId);
    if (!segment) {
      segment = { id: segmentId, captions: new Map(), isHidden: false };
      this.segments.set(segmentId, segment);
    }
    const before = segment.captions.get(language);
    if (before?.is_final && !caption.is_final) return {};
    if (before && before.is_final === caption.is_final && before.revision > caption.revision) return {};
    segment.captions.set(language, caption.is_final ? caption : { ...caption, opened: this.opened });
    if (caption.model) this.models.set(language, caption.model);
    return caption.is_final && !before?.is_final ? { segmentId, final: caption } : { segmentId };
  }

  // Without a language the partials of all languages go.
  #drop({ segment_id: segmentId, language }) {
    const isGone = this.#dropPartials(
      (caption) => caption.segment_id === segmentId && (!language || caption.language === language),
    );
    return isGone ? { segmentId } : {};
  }

  #dropPartials(isOver) {
    let isAnyGone = false;
    for (const segment of this.segments.values()) {
      for (const [language, caption] of segment.captions) {
        if (!caption.is_final && isOver(caption)) {
          segment.captions.delete(language);
          isAnyGone = true;
        }
      }
      if (segment.captions.size === 0 && !segment.isHidden) this.segments.delete(segment.id);
    }
    return isAnyGone;
  }

  #hide({ segment_id: segmentId, is_hidden: isHidden, captions }) {
    const segment = { id: segmentId, captions: new Map(), isHidden };
    for (const caption of captions) segment.captions.set(caption.language, caption);
    if (!isHidden && segment.captions.size === 0) this.segments.delete(segmentId);
    else this.segments.set(segmentId, segment);
    return { segmentId };
  }

  #reset({ segment_id: segmentId }) {
    if (!this.resets.includes(segmentId)) this.resets.push(segmentId);
    this.#dropPartials(() => true);
    return { all: true };
  }

  #catchUp() {
    this.#dropPartials((caption) => caption.opened !== this.opened);
    this.isCaughtUp = true;
    const areScreensGone = this.areScreensOld;
    if (areScreensGone) {
      this.screens = NO_SCREENS;
      this.areScreensOld = false;
    }
    return { caughtUp: true, all: true, screens: areScreensGone };
  }
}

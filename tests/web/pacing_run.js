// Plays actions through Pacing on a clock of its own, and tells every change of the rows.
// Evaluated in a page: ({module, options, actions, lateMs}) => [{now, cause, rows}].
async ({ module, options, actions, lateMs }) => {
  const { Pacing } = await import(module);
  const pacing = new Pacing(options);
  const pictures = [];
  let now = 0;
  const picture = (cause) => {
    const rows = pacing.rows.map(({ key, segmentId, text, words, isCorrected }) => ({
      key, segmentId, text, words, isCorrected,
    }));
    pictures.push({ now, cause, rows, isBehind: pacing.isBehind, delayMs: pacing.delayMs(now) });
  };
  const act = ({ kind, segmentId, lines, segments, isCorrected }) => {
    if (kind === "take") pacing.take(segmentId, lines, now, { isCorrected });
    else if (kind === "start") pacing.start(segments, now);
    else if (kind === "touch") pacing.touch(now);
    else pacing[kind](segmentId);
  };
  // A timer may be late, and is never early.
  const run = (until) => {
    while (pacing.nextAt() + lateMs <= until) {
      now = Math.max(now, pacing.nextAt() + lateMs);
      if (pacing.advance(now)) picture("advance");
    }
  };
  for (const action of actions) {
    run(action.at);
    now = Math.max(now, action.at);
    act(action);
    picture(action.kind);
  }
  run(now + 3_600_000);
  return pictures;
}

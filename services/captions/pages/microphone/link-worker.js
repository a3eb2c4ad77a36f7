// Runs an AudioLink beside the page, so that a busy page or one in the background keeps sending.
// {start: {url, config, chunks: MessagePort}}: `chunks` is where the audio thread puts them.

import { AudioLink } from "./audio-link.js";

onmessage = ({ data: { start } }) => {
  const { url, config, chunks } = start;
  const link = new AudioLink({ url, config, onReport: (report) => postMessage(report) });
  chunks.onmessage = ({ data }) => {
    if (data.isEnd) link.finish();
    else link.take(data.firstSample, data.samples);
  };
  link.start();
};

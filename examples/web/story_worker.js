// The model's side of the page, in a worker, so that the page stays usable while tokens are computed. Between two tokens it
// looks at its messages: that is how "stop" arrives.
"use strict";
importScripts("bitnet_web.js");

let web = null;
let running = 0;  // the number of the text in the making; a newer number ends it

function fail(what) {
  postMessage({ kind: "error", text: `${what}: ${web.UTF8ToString(web._web_error())}` });
}

function load(buffer) {
  running++;
  const address = web._malloc(buffer.byteLength);
  if (address === 0) {
    postMessage({ kind: "error", text: "no memory for a file of this size in the browser" });
    return;
  }
  web.HEAPU8.set(new Uint8Array(buffer), address);
  if (web._web_load(address, buffer.byteLength) === 0) postMessage({ kind: "loaded" });
  else fail("loading");
}

async function tell(options) {
  const mine = ++running;
  const bytes = web.lengthBytesUTF8(options.prompt) + 1;
  const prompt = web._malloc(bytes);
  web.stringToUTF8(options.prompt, prompt, bytes);
  const status = web._web_begin(prompt, options.maxTokens, options.temperature, options.seed);
  web._free(prompt);
  if (status !== 0) return fail("beginning");
  let more = 1;
  while (more === 1) {
    more = web._web_next();
    if (more < 0) return fail("telling");
    const at = web._web_text();
    const text = new TextDecoder().decode(web.HEAPU8.slice(at, at + web._web_text_size()));
    postMessage({ kind: "text", text, tokensPerSecond: web._web_tokens_per_second() });
    await new Promise((resolve) => yieldToMessages(resolve));
    if (mine !== running) break;
  }
  if (mine === running) web._web_stop();
  postMessage({ kind: "done", stopped: more === 1 });
}

// A timer waits 4 ms after a few rounds; a message does not.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();
function yieldToMessages(callback) {
  waiting.push(callback);
  channel.port2.postMessage(null);
}

const ready = createBitnet().then((module) => {
  web = module;
  postMessage({ kind: "ready", version: web.UTF8ToString(web._web_version()) });
});
onmessage = async ({ data }) => {
  await ready;
  if (data.kind === "load") load(data.buffer);
  else if (data.kind === "tell") tell(data);
  else if (data.kind === "stop") running++;
};

// The page's side: fields and buttons. The worker computes.
"use strict";
const at = (id) => document.getElementById(id);
const worker = new Worker("story_worker.js");
let version = "";

function show(state) {
  document.body.dataset.state = state;  // "loading", "idle", "telling", "error"
  at("tell").disabled = state !== "idle";
  at("stop").disabled = state !== "telling";
  at("file").disabled = state === "telling" || state === "loading";
}

function load(buffer, name) {
  show("loading");
  at("status").textContent = `loading ${name}`;
  worker.postMessage({ kind: "load", buffer }, [buffer]);
}

worker.onmessage = ({ data }) => {
  if (data.kind === "ready") {
    version = data.version;
  } else if (data.kind === "loaded") {
    show("idle");
    at("status").textContent = version;
  } else if (data.kind === "text") {
    at("story").append(data.text);
    at("status").textContent = `${data.tokensPerSecond.toFixed(1)} tokens/s`;
  } else if (data.kind === "done") {
    show("idle");
    if (data.stopped) at("status").textContent += ", stopped";
  } else {
    show(data.text.startsWith("loading") ? "error" : "idle");
    at("file").disabled = false;
    at("status").textContent = data.text;
  }
};
worker.onerror = (event) => {
  show("error");
  at("status").textContent = `the program does not run here: ${event.message}`;
};

at("tell").onclick = () => {
  const prompt = at("prompt").value;
  const begin = document.createElement("b");
  begin.textContent = prompt;
  at("story").replaceChildren(begin);
  show("telling");
  worker.postMessage({
    kind: "tell", prompt, maxTokens: Number(at("tokens").value), temperature: Number(at("temperature").value),
    seed: Number(at("seed").value),
  });
};
at("stop").onclick = () => worker.postMessage({ kind: "stop" });
at("file").onchange = async () => {
  const file = at("file").files[0];
  if (file) load(await file.arrayBuffer(), file.name);
};

show("loading");
fetch("stories.gguf")
  .then((reply) => {
    if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
    return reply.arrayBuffer();
  })
  .then((buffer) => load(buffer, "stories.gguf"))
  .catch((error) => {
    show("error");
    at("file").disabled = false;
    at("status").textContent = `stories.gguf cannot be fetched (${error.message}); serve this folder by HTTP or choose a file`;
  });

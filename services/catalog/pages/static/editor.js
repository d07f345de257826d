// Pictures of a product: dropped or chosen, several at once, sent one after the other with their progress.
import { say } from "./app.js";
import { replace } from "./live.js";

const form = document.getElementById("upload");

function send(file, told) {
  return new Promise((resolve, reject) => {
    const body = new FormData();
    body.append("csrf_token", form.elements.csrf_token.value);
    body.append("file", file);
    body.append("alt", form.elements.alt.value);
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    request.open("POST", form.dataset.address);
    request.upload.onprogress = (event) => told(event.loaded / event.total);
    request.onerror = () => reject(new Error("The connection broke off."));
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(detail(request))));
    request.send(body);
  });
}

function detail(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `It was refused (${request.status}).`;
  }
}

async function sendAll(files) {
  const bar = document.getElementById("sent");
  bar.hidden = false;
  for (const [index, file] of files.entries()) {
    try {
      await send(file, (share) => { bar.value = (index + share) / files.length; });
      say(`${file.name} is being prepared.`);
    } catch (error) {
      say(`${file.name}: ${error.message}`, "bad");
    }
  }
  bar.hidden = true;
  bar.value = 0;
  form.reset();
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["pictures", "history"]) replace(document.getElementById(id), page.getElementById(id));
}

if (form) {
  form.elements.file.multiple = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendAll([...form.elements.file.files]);
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) sendAll([...event.dataTransfer.files]);
    });
  }
}

// Renews the list of running queries, and cancels one after asking twice.
const PAUSE = 2000; // ms
const base = document.body.dataset.base;
const live = document.getElementById("live");
const said = document.getElementById("said");
let armed = null;

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`${base}/queries?part=content`, { headers: { "X-Storegate-Ui": "1" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = parsed.getElementById("live");
    const focused = document.activeElement?.dataset?.cancel;
    live.replaceChildren(...fresh.childNodes);
    live.dataset.count = fresh.dataset.count;
    if (armed) arm(live.querySelector(`[data-cancel="${armed}"]`));
    if (focused) live.querySelector(`[data-cancel="${focused}"]`)?.focus();
    if (said.dataset.failed) {
      said.textContent = "";
      delete said.dataset.failed;
    }
  } catch (error) {
    said.textContent = `The gateway does not answer (${error.message}); trying again.`;
    said.dataset.failed = "yes";
  }
}

function arm(button) {
  armed = button?.dataset.cancel ?? null;
  if (!button) return;
  button.textContent = "Really cancel?";
  button.classList.add("armed");
}

live.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-cancel]");
  if (!button) return;
  if (armed !== button.dataset.cancel) {
    arm(button);
    return;
  }
  armed = null;
  button.disabled = true;
  try {
    const answer = await fetch(`${base}/ui/queries/cancel?id=${encodeURIComponent(button.dataset.cancel)}`, {
      method: "POST",
      headers: { "X-Storegate-Ui": "1" },
    });
    said.textContent = answer.ok ? `Query ${button.dataset.cancel} was cancelled.` : await answer.text();
  } catch (error) {
    said.textContent = `The query could not be cancelled: ${error.message}`;
  }
  renew();
});

setInterval(renew, PAUSE);

// The dialog that asks before a mark is written. It is not on the page when admin operations are off.
const TEXTS = {
  DELETION: ["Mark this block for deletion?", "The compactor deletes it after its delay, and this gateway stops serving it before that. The mark has to be removed from the bucket by hand to undo this.", "Mark for deletion"],
  NO_COMPACTION: ["Mark this block as no-compact?", "The compactor will leave it as it is. The mark has to be removed from the bucket by hand to undo this.", "Mark as no-compact"],
};

export class MarkDialog {
  constructor(base, onMarked) {
    this.dialog = document.getElementById("dialog");
    if (!this.dialog) return;
    this.part = Object.fromEntries(["title", "text", "block", "detail", "error", "confirm", "cancel", "form"].map((name) => [name, document.getElementById(`dialog-${name}`)]));
    this.base = base;
    this.onMarked = onMarked;
    this.part.cancel.addEventListener("click", () => this.dialog.close());
    this.part.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.write();
    });
  }

  ask(block, action) {
    const { part } = this;
    [part.title.textContent, part.text.textContent, part.confirm.textContent] = TEXTS[action];
    part.block.textContent = block.ulid;
    part.detail.value = "";
    part.error.hidden = true;
    part.confirm.disabled = false;
    this.wanted = { id: block.ulid, action };
    this.dialog.showModal();
  }

  async write() {
    const { part, wanted } = this;
    part.confirm.disabled = true;
    try {
      const answer = await fetch(`${this.base}/api/v1/blocks/mark`, { method: "POST", body: new URLSearchParams({ ...wanted, detail: part.detail.value }) });
      if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? `status ${answer.status}`);
      this.dialog.close();
      this.onMarked(`The mark was written for ${wanted.id}. The gateway sees it at its next sync.`);
    } catch (error) {
      part.error.textContent = `The mark was not written: ${error.message}`;
      part.error.hidden = false;
      part.confirm.disabled = false;
    }
  }
}

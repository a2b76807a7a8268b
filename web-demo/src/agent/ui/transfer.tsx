import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { CentreCall, Status, Target } from "../../centre/objects";
import { StatusDot } from "../../centre/ui/status";
import { STATUS } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { useWorkspace } from "../context";
import { type Entry, found } from "../directory";
import { W } from "../words";

/** Target of a transfer, and whether to consult it first. */
export function TransferPanel({ centre }: { centre: CentreCall }) {
  const { calls, drawer, shell } = useWorkspace();
  const { agents, queues } = useCentre();
  const busy = shell.notices.busy.value;
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const entries = found(text, agents.value.values(), queues.value.values(), shell.signedIn?.id, centre.queue?.id);
  const close = () => {
    drawer.value = undefined;
  };
  const give = async (to: Target, name: string) => {
    if (await calls.transfer(to, name)) close();
  };
  const ask = async (to: Target) => {
    if (await calls.consult(to)) close();
  };
  return (
    <section class="drawer transfer" id="transfer-panel" aria-labelledby="transfer-title">
      <h3 id="transfer-title">{W.transferTitle}</h3>
      <div class="find">
        <Icon name="search" size={18} />
        <input
          id="transfer-find"
          ref={field}
          type="search"
          aria-label={W.transferFind}
          placeholder={W.transferFind}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={64}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") close();
          }}
        />
      </div>
      <ul class="rows people">
        {entries.map((entry) => (
          <li key={entry.key}>
            <Mark entry={entry} />
            <span class="row-name">{entry.name}</span>
            <span class="row-note">
              {entry.status ? STATUS[entry.status] : entry.kind === "queue" ? W.transferQueue : W.transferNumber}
            </span>
            <span class="row-actions">
              {entry.kind !== "queue" && (
                <button
                  type="button"
                  class="small"
                  data-consult={entry.key}
                  aria-label={W.consultWith(entry.name)}
                  disabled={busy.has("consult") || !canBeAsked(entry.status)}
                  onClick={() => void ask(entry.target)}
                >
                  {W.consultShort}
                </button>
              )}
              <button
                type="button"
                class="small"
                data-transfer={entry.key}
                aria-label={W.transferTo(entry.name)}
                disabled={busy.has("transfer") || entry.status === "offline"}
                onClick={() => void give(entry.target, entry.name)}
              >
                {W.transferShort}
              </button>
            </span>
          </li>
        ))}
      </ul>
      {entries.length === 0 && <p class="quiet">{W.transferNone}</p>}
    </section>
  );
}

function Mark({ entry }: { entry: Entry }) {
  if (entry.status) return <StatusDot status={entry.status} />;
  return <Icon name={entry.kind === "queue" ? "queue" : "call"} size={16} />;
}

/** Somebody who has a call, or no page, cannot be asked now. */
function canBeAsked(status: Status | undefined): boolean {
  return status === undefined || status === "available" || status === "paused" || status === "wrap-up";
}

import { useRef } from "preact/hooks";
import { useWorkspace } from "../context";
import { W } from "../words";

/** How direct calls to the agent are handled. */
export function CallHandlingPanel() {
  const { callHandling, shell } = useWorkspace();
  const { undisturbed, forwardedTo, settings } = callHandling;
  if (!settings.value) return null;
  const busy = shell.notices.busy.value.has("call-handling");
  return (
    <details class="card panel" id="call-handling">
      <summary>
        <h2>{W.directCalls}</h2>
        {(undisturbed.value || forwardedTo.value) && (
          <span class="row-note" id="call-handling-now">
            {forwardedTo.value ? W.forwardedTo(forwardedTo.value) : W.undisturbed}
          </span>
        )}
      </summary>
      <p class="quiet small-text">{W.directCallsText}</p>
      <label class="check">
        <input
          type="checkbox"
          id="do-not-disturb"
          checked={undisturbed.value}
          disabled={busy}
          onChange={(event) => void callHandling.setUndisturbed(event.currentTarget.checked)}
        />
        <span>{W.doNotDisturb}</span>
      </label>
      <ForwardAll busy={busy} />
    </details>
  );
}

function ForwardAll({ busy }: { busy: boolean }) {
  const { callHandling } = useWorkspace();
  const to = callHandling.forwardedTo.value;
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    void callHandling.forwardTo(field.current?.value ?? "");
  };
  return (
    <form class="dial" onSubmit={submit}>
      <label for="forward-all">{W.forwardAll}</label>
      <div class="dial-line">
        <input
          id="forward-all"
          ref={field}
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={64}
          key={to ?? ""}
          defaultValue={to ?? ""}
        />
        <button type="submit" class="small primary" id="forward-all-set" disabled={busy}>
          {W.forward}
        </button>
        {to && (
          <button
            type="button"
            class="small"
            id="forward-all-stop"
            disabled={busy}
            onClick={() => void callHandling.forwardTo(undefined)}
          >
            {W.stopForwarding}
          </button>
        )}
      </div>
    </form>
  );
}

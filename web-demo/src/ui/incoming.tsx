import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call } from "../call";
import { active, answer } from "../softphone";
import { Icon } from "./icons";

export function Incoming({ call }: { call: Call }) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    // Whoever is typing goes on typing.
    if (!(document.activeElement instanceof HTMLInputElement && document.activeElement.value)) {
      button.current?.focus({ preventScroll: true });
    }
  }, [call]);
  const who = call.name || call.peer;
  return (
    <section class="incoming" role="alertdialog" aria-label={`Incoming call from ${who}`}>
      <div class="incoming-who">
        <span class="pulse" aria-hidden="true">
          <Icon name="call" size={24} />
        </span>
        <div>
          <p class="incoming-label">Incoming call</p>
          <p class="incoming-name">{who}</p>
          {call.name && <p class="peer-address">{call.peer}</p>}
        </div>
      </div>
      <div class="incoming-actions">
        <button type="button" id="answer" class="go" ref={button} onClick={() => void answer(call)}>
          <Icon name="call" />
          <span>{active.value.length ? "Hold and answer" : "Answer"}</span>
        </button>
        <button type="button" id="reject" class="stop" onClick={() => call.hangUp()}>
          <Icon name="hangup" />
          <span>Decline</span>
        </button>
        <button type="button" id="busy" class="plain" onClick={() => call.rejectBusy()}>
          Busy
        </button>
      </div>
    </section>
  );
}

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../ui/icons";
import type { Call } from "../../voice/call";
import { useSoftphone } from "../context";
import { MicrophoneTrouble } from "./microphone_trouble";

/** Calls that ring, over the page: wherever it is scrolled to, they are in sight. */
export function Ringing() {
  const { ringing } = useSoftphone().voice;
  if (ringing.value.length === 0) return null;
  return (
    <div class="ringing" id="ringing">
      <MicrophoneTrouble />
      {ringing.value.map((call) => (
        <Incoming key={call.id} call={call} />
      ))}
    </div>
  );
}

function Incoming({ call }: { call: Call }) {
  const { voice } = useSoftphone();
  const card = useRef<HTMLElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  // A screen reader announces a dialog that gets the focus; without the focus the page says it.
  const [spoken, setSpoken] = useState("");
  const who = call.name || call.peer;
  useLayoutEffect(() => {
    const before = document.activeElement;
    // Whoever is typing goes on typing, and whoever is about to answer another call answers that one.
    if (isTyping(before) || before?.closest("#ringing")) {
      setSpoken(`Incoming call from ${who}`);
      return;
    }
    button.current?.focus({ preventScroll: true });
    return () => {
      const lost = card.current?.contains(document.activeElement) || document.activeElement === document.body;
      if (!lost) return;
      const next = document.querySelector<HTMLElement>("#ringing .go");
      const back = next && !card.current?.contains(next) ? next : before;
      if (back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true });
    };
  }, [call]);
  const label = `incoming-${call.id}`;
  return (
    <section class="incoming" role="alertdialog" aria-labelledby={label} aria-describedby={`${label}-who`} ref={card}>
      <div class="incoming-who">
        <span class="pulse" aria-hidden="true">
          <Icon name="call" size={24} />
        </span>
        <div>
          <p class="incoming-label" id={label}>
            Incoming call
          </p>
          <p class="incoming-name" id={`${label}-who`}>
            {who}
          </p>
          {call.name && <p class="peer-address">{call.peer}</p>}
        </div>
      </div>
      <div class="incoming-actions">
        <button type="button" id="answer" class="go" ref={button} onClick={() => void voice.answer(call)}>
          <Icon name="call" />
          <span>{voice.active.value.length ? "Hold and answer" : "Answer"}</span>
        </button>
        <button type="button" id="reject" class="stop" onClick={() => call.hangUp()}>
          <Icon name="hangup" />
          <span>Decline</span>
        </button>
        <button type="button" id="busy" class="small" onClick={() => call.rejectBusy()}>
          Busy
        </button>
      </div>
      <p class="unseen" role="alert">
        {spoken}
      </p>
    </section>
  );
}

function isTyping(element: Element | null): boolean {
  return (
    element instanceof HTMLSelectElement ||
    (element instanceof HTMLInputElement && (element.value !== "" || element.closest("details") !== null))
  );
}

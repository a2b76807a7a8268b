import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../ui/icons";
import type { Call } from "../../voice/call";
import { useSoftphone } from "../context";

/** Gives the call away: to a number, or to the other party of another call. */
export function Transfer({ call, done }: { call: Call; done(): void }) {
  const softphone = useSoftphone();
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  const give = (to: string | Call) => softphone.transfer(call, to) && done();
  const others = softphone.voice.active.value.filter((other) => other !== call && other.state.value === "talking");
  return (
    <form
      id="call-transfer"
      aria-label="Transfer this call"
      onSubmit={(event) => {
        event.preventDefault();
        if (typed.trim()) give(typed);
      }}
    >
      <label for="transfer-to">Transfer to</label>
      <div class="transfer-to">
        <input
          id="transfer-to"
          ref={field}
          type="text"
          inputMode="tel"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="Number or address"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" class="small primary" id="transfer-now">
          Transfer
        </button>
      </div>
      {others.map((other) => (
        <button key={other.id} type="button" class="small" data-join={other.peer} onClick={() => give(other)}>
          <Icon name="merge" size={18} />
          <span>Connect with {other.name || other.peer}</span>
        </button>
      ))}
    </form>
  );
}

import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../../ui/icons";
import { Pad } from "../../ui/pad";
import { useSoftphone } from "../context";

export function Dialer() {
  const softphone = useSoftphone();
  const { failed, lastDialled, number, line } = softphone;
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    // On a touch screen this would bring the keyboard up over the pad.
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus({ preventScroll: true });
    if (failed.value) field.current?.select();
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    // As on a telephone, the call key on an empty line brings the last number back.
    if (!number.value.trim()) number.value = lastDialled.value;
    else void softphone.dial(number.value);
  };
  return (
    <form class="dialer" onSubmit={submit} aria-label="Dial">
      <div class="number">
        <label class="unseen" for="number">
          Number or address to call
        </label>
        <input
          id="number"
          ref={field}
          type="text"
          inputMode="tel"
          autocomplete="off"
          autocapitalize="off"
          autocorrect="off"
          spellcheck={false}
          placeholder="Number or address"
          enterkeyhint="go"
          value={number.value}
          onInput={(event) => {
            number.value = event.currentTarget.value;
            failed.value = false;
          }}
        />
        <button
          type="button"
          class="erase"
          aria-label="Delete last digit"
          hidden={number.value === ""}
          onClick={() => {
            number.value = number.value.slice(0, -1);
            failed.value = false;
          }}
        >
          <Icon name="erase" />
        </button>
      </div>
      <Pad label="Dial pad" press={softphone.press} />
      <button type="submit" id="call" class="go" aria-disabled={line.registration.value.state !== "registered"}>
        <Icon name="call" size={26} />
        <span class="go-word">{number.value.trim() || !lastDialled.value ? "Call" : `Last number: ${lastDialled.value}`}</span>
      </button>
    </form>
  );
}

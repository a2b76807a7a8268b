import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** A modal dialog: the browser keeps the focus in it, and gives it back to where it was. */
export function Dialog({
  id,
  label,
  role,
  close,
  focus,
  class: name = "",
  children,
}: {
  id: string;
  /** Id of its title. */
  label: string;
  role?: "dialog" | "alertdialog";
  /** What Escape and a click beside it do; without it the dialog stays until what it is about is over. */
  close?(): void;
  /** What gets the focus; the dialog itself if there is nothing. */
  focus?: string;
  class?: string;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    const wanted = focus ? dialog.querySelector<HTMLElement>(focus) : null;
    (wanted ?? dialog).focus();
    return () => {
      dialog.close();
      // The one that had it may be gone with what it was about.
      if (before?.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      id={id}
      ref={element}
      class={`dialog ${name}`}
      role={role}
      aria-modal="true"
      aria-labelledby={label}
      tabIndex={-1}
      onCancel={(event) => {
        event.preventDefault();
        close?.();
      }}
      onClick={(event) => {
        if (event.target === element.current) close?.();
      }}
    >
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

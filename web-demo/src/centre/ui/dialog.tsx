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
  /** Action of Escape and of a click outside; without it the dialog stays until its subject is over. */
  close?(): void;
  /** Element that gets the focus; the dialog itself by default. */
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
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it as Escape does, which is onCancel
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

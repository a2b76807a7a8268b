import { Dialog } from "../../centre/ui/dialog";
import { COMMON } from "../../centre/words";
import { useWorkspace } from "../context";
import { keyName, SHORTCUTS } from "../shortcuts";
import { ACTION, W } from "../words";

export function Help() {
  const workspace = useWorkspace();
  const close = () => {
    workspace.helpOpen.value = false;
  };
  return (
    <Dialog id="help" label="help-title" close={close} focus="#help-close">
      <h2 id="help-title">{W.helpTitle}</h2>
      <p class="quiet">{W.helpText}</p>
      <label class="check">
        <input
          type="checkbox"
          id="shortcuts-on"
          checked={workspace.shortcutsOn.value}
          onChange={(event) => workspace.enableShortcuts(event.currentTarget.checked)}
        />
        <span>{W.shortcutsOn}</span>
      </label>
      <dl class="keys">
        {SHORTCUTS.map((shortcut) => (
          <div key={shortcut.action}>
            <dt>
              <kbd>{keyName(shortcut)}</kbd>
            </dt>
            <dd>{ACTION[shortcut.action]}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>0–9 * #</kbd>
          </dt>
          <dd>{W.digits}</dd>
        </div>
      </dl>
      <button type="button" class="small primary" id="help-close" onClick={close}>
        {COMMON.close}
      </button>
    </Dialog>
  );
}

// One registration at the gateway: a phone of a SIP library, made when it is wanted and replaced by the next one.
import { signal } from "@preact/signals";
import type { CallListener, Credentials, Phone, PhoneCall, PhoneListener, Registration } from "../phone/phone";

export type CreatePhone<P extends Phone> = (credentials: Credentials, listener: PhoneListener) => P;

/** Everything that a phone is made of. */
export interface Equipment<P extends Phone> {
  create: CreatePhone<P>;
  credentials: Credentials;
}

export class PhoneRegistration<P extends Phone = Phone> {
  /** Undefined while nothing is registered, nor to be. */
  readonly state = signal<Registration | undefined>(undefined);
  private current: P | undefined;
  private generation = 0;

  constructor(
    private readonly incoming: (call: PhoneCall) => void,
    private readonly refused: (code: number) => void = () => undefined,
  ) {}

  get phone(): P | undefined {
    return this.current;
  }

  /**
   * Registers in place of whatever was registered before, with what `equip` resolves with, if anything. True once a phone was
   * made; false also where another one was wanted meanwhile.
   */
  async open(equip: () => Promise<Equipment<P> | undefined>): Promise<boolean> {
    const mine = ++this.generation;
    const wanted = () => mine === this.generation;
    this.state.value = { state: "connecting" };
    const before = this.current;
    this.current = undefined;
    await before?.stop();
    const equipment = await equip();
    if (!equipment || !wanted()) return false;
    try {
      this.current = equipment.create(equipment.credentials, {
        registration: (state) => {
          if (!wanted()) return;
          this.state.value = state;
          if (state.state === "refused") this.refused(state.code);
        },
        incoming: this.incoming,
      });
      this.current.start();
    } catch {
      this.state.value = { state: "refused", code: 400, reason: "this is not a usable account" };
      return false;
    }
    return true;
  }

  /** Unregisters. A call that runs ends. */
  async close(): Promise<void> {
    this.generation += 1;
    const phone = this.current;
    this.current = undefined;
    this.state.value = undefined;
    await phone?.stop();
  }

  /** Connects now instead of at the next attempt. */
  retry(): void {
    this.current?.retry();
  }

  /** @throws where there is no connection. */
  call(target: string, microphone: MediaStream, listener: CallListener): PhoneCall {
    if (!this.current) throw new Error("not connected");
    return this.current.call(target, microphone, listener);
  }
}

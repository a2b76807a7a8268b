// Two clients that others wrote, JsSIP and SIP.js, unmodified and used as their documentation shows, behind one face
// for the tests: `client.start(options)`, `client.call(target)`, `client.calls[n]`, `client.watch(target, event, accept)`.
import JsSIP from "jssip";
import { Inviter, Registerer, RegistererState, SessionState, Subscriber, SubscriptionState, UserAgent, Web } from "sip.js";
import { audioContext, Ears, microphone, toneStream } from "./media.js";

let options = {};
let agent;

const client = {
  /** 'new' | 'registered' | 'failed' | 'unregistered' */
  registration: "new",
  /** Status code of the refusal. */
  refused: 0,
  connected: false,
  /** Times that the WebSocket came up, and went down. */
  connects: 0,
  disconnects: 0,
  calls: [],
  /** Subscriptions: `told`, the bodies that came; `over`; `end()`. */
  watches: [],

  /**
   * - `library`: 'jssip' | 'sipjs'
   * - `server`, `uri`, `user`, `password`
   * - `tone`, `amplitude`: the page makes its own microphone (otherwise the browser's fake one speaks)
   * - `codec`: the only audio codec to offer or accept, e.g. 'opus', 'PCMU'
   * - `answer`: 'auto' | 'ring' | a status code to refuse with
   * - `sessionTimers`: JsSIP's own, on unless false
   */
  async start(wanted) {
    options = { answer: "auto", ...wanted };
    await audioContext();
    agent = options.library === "sipjs" ? sipjs() : jssip();
    agent.start();
  },
  call(target) {
    const call = new Call("out");
    openMicrophone().then(
      (stream) => {
        call.microphone = stream;
        agent.call(call, target);
      },
      (error) => call.end({ cause: error.name }),
    );
    return call.index;
  },
  stop() {
    return agent.stop();
  },
  /** Subscribes to an event, for ten minutes; the number of the subscription. */
  watch(target, event, accept) {
    const watch = { told: [], over: false };
    agent.watch(watch, target, event, accept);
    return client.watches.push(watch) - 1;
  },
};

window.client = client;

function openMicrophone() {
  return options.tone ? toneStream(options.tone, options.amplitude ?? 0.25) : microphone();
}

/** What a test sees and does of one call. */
class Call {
  constructor(direction) {
    this.index = client.calls.push(this) - 1;
    this.direction = direction;
    /** 'new' | 'ringing' | 'up' | 'over' */
    this.state = "new";
    this.code = 0;
    this.cause = "";
    this.by = "";
    this.digits = "";
    this.holds = [];
    this.begun = performance.now();
    /** Milliseconds from the INVITE to each step. */
    this.times = {};
    this.headers = {};
    /** Status codes that a transfer of this call was told. */
    this.told = [];
  }

  mark(name) {
    this.times[name] ??= performance.now() - this.begun;
  }

  ring(code) {
    this.mark(`ring${code ?? ""}`);
    if (this.state === "new") this.state = "ringing";
  }

  up() {
    this.mark("up");
    if (this.state !== "over") this.state = "up";
  }

  end({ code = 0, cause = "", by = "" }) {
    if (this.state === "over") return;
    this.mark("over");
    Object.assign(this, { state: "over", code, cause, by });
    this.ears?.close();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
  }

  /** Listens to the peer connection's sound from its first packet. */
  watch(pc) {
    if (this.pc) return;
    this.pc = pc;
    pc.addEventListener("track", async ({ track, streams }) => {
      if (track.kind !== "audio") return;
      track.addEventListener("unmute", () => this.mark("unmute"));
      this.ears = await Ears.on(streams[0] ?? new MediaStream([track]));
    });
    const watchFirst = async () => {
      if (this.state === "over" || this.times.packet) return;
      const { packetsReceived } = await this.stats();
      if (packetsReceived > 0) this.mark("packet");
      else setTimeout(watchFirst, 5);
    };
    watchFirst();
  }

  async stats() {
    const found = { packetsReceived: 0, packetsSent: 0, packetsLost: 0, codecIn: "", codecOut: "", concealed: 0 };
    if (!this.pc || this.pc.connectionState === "closed") return found;
    const report = await this.pc.getStats();
    report.forEach((entry) => {
      const codec = report.get(entry.codecId)?.mimeType?.replace("audio/", "") ?? "";
      if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        found.packetsReceived += entry.packetsReceived;
        found.packetsLost += entry.packetsLost;
        found.concealed = entry.concealedSamples ?? 0;
        found.jitter = entry.jitter;
        found.codecIn = codec;
      }
      if (entry.type === "outbound-rtp" && entry.kind === "audio") {
        found.packetsSent += entry.packetsSent;
        found.codecOut = codec;
      }
      if (entry.type === "transport") {
        found.dtlsRole = entry.dtlsRole;
        found.srtpCipher = entry.srtpCipher;
      }
    });
    return found;
  }

  summary() {
    const { state, direction, code, cause, by, digits, times, holds, headers, from, told } = this;
    return { state, direction, code, cause, by, digits, times, holds, headers, from, told };
  }

  // answer, refuse, hangUp, hold, resume, dtmf, info, refer(target, index of the call to replace): set by the library's own half below
}

/** Leaves only one audio codec, and telephone-event, in a description. */
export function only(codec, sdp) {
  if (!codec) return sdp;
  const keep = new Set();
  for (const [, type, name] of sdp.matchAll(/^a=rtpmap:(\d+) ([\w-]+)\//gm)) {
    const wanted = name.toLowerCase();
    if (wanted === codec.toLowerCase() || wanted === "telephone-event") keep.add(type);
  }
  return sdp
    .split("\r\n")
    .filter((line) => {
      const type = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(line)?.[1];
      return !type || keep.has(type);
    })
    .join("\r\n")
    .replace(/^(m=audio \d+ \S+) (.*)$/m, (_, start, types) =>
      [
        start,
        ...types
          .trim()
          .split(" ")
          .filter((type) => keep.has(type)),
      ].join(" "),
    );
}

// ---- JsSIP ---------------------------------------------------------------------------------------------------

function jssip() {
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(options.server)],
    uri: options.uri,
    password: options.password,
    connection_recovery_min_interval: 1,
    connection_recovery_max_interval: 4,
    session_timers: options.sessionTimers ?? true,
    ...(options.registerExpires ? { register_expires: options.registerExpires } : {}),
  });
  ua.on("connected", () => {
    client.connected = true;
    client.connects++;
  });
  ua.on("disconnected", () => {
    client.connected = false;
    client.disconnects++;
  });
  ua.on("registered", () => (client.registration = "registered"));
  ua.on("unregistered", () => (client.registration = "unregistered"));
  ua.on("registrationFailed", ({ response }) => {
    client.registration = "failed";
    client.refused = response?.status_code ?? 0;
  });
  ua.on("newRTCSession", ({ originator, session, request }) => {
    if (originator !== "remote") return;
    const call = new Call("in");
    call.from = { user: session.remote_identity.uri.user, name: session.remote_identity.display_name };
    call.ring();
    adoptJsSip(call, session);
    session.on("peerconnection", ({ peerconnection }) => call.watch(peerconnection));
    call.answer = async () => {
      call.microphone ??= await openMicrophone();
      session.answer({ mediaStream: call.microphone, pcConfig: { iceServers: [] } });
    };
    call.refuse = (code) => session.terminate({ status_code: code });
    call.headers.farCodec = request.getHeader("X-Cordboard-Far-Codec");
    takeIncoming(call);
  });
  return {
    start: () => ua.start(),
    stop: () => ua.stop(),
    watch(watch, target, event, accept) {
      const subscriber = ua.subscribe(target, event, accept, { expires: 600 });
      subscriber.on("notify", (_final, _request, body) => watch.told.push(body));
      subscriber.on("terminated", () => (watch.over = true));
      watch.end = () => subscriber.terminate();
      subscriber.subscribe();
    },
    call(call, target) {
      const session = ua.call(target, {
        mediaStream: call.microphone,
        pcConfig: { iceServers: [] },
        eventHandlers: {
          peerconnection: ({ peerconnection }) => call.watch(peerconnection),
          sending: () => {
            call.begun = performance.now();
          },
        },
      });
      adoptJsSip(call, session);
    },
  };
}

function adoptJsSip(call, session) {
  session.on("sdp", (event) => {
    const ours = call.direction === "out" ? "local" : "remote";
    if (event.originator === ours && event.type === "offer") event.sdp = only(options.codec, event.sdp);
  });
  session.on("icecandidate", (event) => event.ready());
  session.on("progress", ({ response }) => call.ring(response?.status_code));
  session.on("accepted", ({ response }) => {
    if (response) call.headers.farCodec = response.getHeader("X-Cordboard-Far-Codec");
    call.up();
  });
  for (const name of ["failed", "ended"]) {
    session.on(name, ({ originator, message, cause }) => call.end({ code: message?.status_code, cause, by: originator }));
  }
  session.on("hold", ({ originator }) => call.holds.push(`${originator} hold`));
  session.on("unhold", ({ originator }) => call.holds.push(`${originator} resume`));
  session.on("newDTMF", ({ originator, dtmf }) => {
    if (originator === "remote") call.digits += dtmf.tone;
  });
  call.session = session;
  call.refer = (target, other) => {
    const notified = ({ status_line }) => call.told.push(status_line.status_code);
    const eventHandlers = {
      requestFailed: ({ response }) => call.told.push(response?.status_code ?? 0),
      trying: notified,
      progress: notified,
      accepted: notified,
      failed: notified,
    };
    session.refer(target, { eventHandlers, replaces: client.calls[other]?.session });
  };
  const change = (verb) => () =>
    new Promise((resolve, reject) => {
      if (!session[verb]({}, resolve)) reject(new Error(`JsSIP refuses to ${verb}`));
    });
  call.hold = change("hold");
  call.resume = change("unhold");
  call.hangUp = () => session.terminate();
  call.dtmf = (digits) => session.sendDTMF(digits, { transportType: "RFC2833", duration: 120, interToneGap: 80 });
  call.info = (digits) => session.sendDTMF(digits, { transportType: "INFO", duration: 120, interToneGap: 80 });
}

// ---- SIP.js --------------------------------------------------------------------------------------------------

function sipjs() {
  const streams = new WeakMap();
  const ua = new UserAgent({
    uri: UserAgent.makeURI(options.uri),
    authorizationUsername: options.user,
    authorizationPassword: options.password,
    transportOptions: { server: options.server },
    logLevel: "error",
    reconnectionAttempts: 20,
    reconnectionDelay: 1,
    sessionDescriptionHandlerFactory: (session, handlerOptions) =>
      Web.defaultSessionDescriptionHandlerFactory(() => Promise.resolve(streams.get(session)))(session, handlerOptions),
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
    delegate: {
      onConnect: () => {
        client.connected = true;
        client.connects++;
        registerer.register(watchRegister).catch(() => undefined);
      },
      onDisconnect: () => {
        client.connected = false;
        client.disconnects++;
      },
      onInvite(invitation) {
        const call = new Call("in");
        call.from = { user: invitation.remoteIdentity.uri.user, name: invitation.remoteIdentity.displayName };
        call.ring();
        adoptSipJs(call, invitation);
        call.answer = async () => {
          call.microphone ??= await openMicrophone();
          streams.set(invitation, call.microphone);
          await invitation.accept({ sessionDescriptionHandlerModifiers: [codecModifier] });
        };
        call.refuse = (statusCode) => invitation.reject({ statusCode });
        call.headers.farCodec = invitation.request.getHeader("X-Cordboard-Far-Codec");
        takeIncoming(call);
      },
    },
  });
  const registerer = new Registerer(ua, options.registerExpires ? { expires: options.registerExpires } : {});
  const watchRegister = {
    requestDelegate: {
      onReject: ({ message }) => {
        client.registration = "failed";
        client.refused = message.statusCode;
      },
    },
  };
  registerer.stateChange.addListener((state) => {
    if (state === RegistererState.Registered) client.registration = "registered";
    if (state === RegistererState.Unregistered && client.registration === "registered") {
      client.registration = "unregistered";
    }
  });
  return {
    start: () => ua.start(),
    async stop() {
      if (registerer.state === RegistererState.Registered) await registerer.unregister();
      await ua.stop();
    },
    watch(watch, target, event, accept) {
      const subscriber = new Subscriber(ua, UserAgent.makeURI(target), event, {
        expires: 600,
        extraHeaders: [`Accept: ${accept}`],
      });
      subscriber.delegate = {
        onNotify(notification) {
          notification.accept();
          if (notification.request.body) watch.told.push(notification.request.body);
        },
      };
      subscriber.stateChange.addListener((state) => {
        if (state === SubscriptionState.Terminated) watch.over = true;
      });
      watch.end = () => subscriber.unsubscribe();
      subscriber.subscribe();
    },
    call(call, target) {
      const inviter = new Inviter(ua, UserAgent.makeURI(target), {
        earlyMedia: true,
        sessionDescriptionHandlerModifiers: [codecModifier],
      });
      streams.set(inviter, call.microphone);
      adoptSipJs(call, inviter);
      call.begun = performance.now();
      inviter
        .invite({
          requestDelegate: {
            onProgress: ({ message }) => call.ring(message.statusCode),
            onAccept: ({ message }) => {
              call.headers.farCodec = message.getHeader("X-Cordboard-Far-Codec");
            },
            onReject: ({ message }) => {
              const by = call.cancelled ? "local" : "remote";
              call.ending = { code: message.statusCode, cause: message.reasonPhrase, by };
            },
          },
        })
        .catch((error) => call.end({ cause: error.message }));
    },
  };
}

const codecModifier = async (description) => ({ ...description, sdp: only(options.codec, description.sdp) });

function adoptSipJs(call, session) {
  session.delegate = {
    onSessionDescriptionHandler: (handler) => call.watch(handler.peerConnection),
    onBye: () => {
      call.ending = { cause: "Terminated", by: "remote" };
    },
    onCancel: () => {
      call.ending = { code: 487, cause: "Canceled", by: "remote" };
    },
    onInfo: (info) => {
      info.accept();
      call.digits += /Signal=\s*([0-9A-D*#])/i.exec(info.request.body)?.[1] ?? "";
    },
    onInvite: () => {
      const { currentDirection } = call.pc.getTransceivers()[0];
      call.holds.push(currentDirection === "sendrecv" ? "remote resume" : "remote hold");
    },
  };
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) call.up();
    // The reason is told after the state, in the same turn.
    if (state === SessionState.Terminated) queueMicrotask(() => call.end(call.ending ?? { by: "local" }));
  });
  call.session = session;
  call.refer = (target, other) => {
    session.refer(client.calls[other]?.session ?? UserAgent.makeURI(target), {
      requestDelegate: { onReject: ({ message }) => call.told.push(message.statusCode) },
      onNotify: (notification) => {
        notification.accept();
        call.told.push(Number(/^SIP\/2\.0 (\d+)/.exec(notification.request.body)?.[1]));
      },
    });
  };
  const change = (hold) => () =>
    new Promise((resolve, reject) => {
      session.sessionDescriptionHandlerOptionsReInvite = { hold };
      session
        .invite({
          requestDelegate: {
            onAccept: () => {
              session.sessionDescriptionHandler.enableSenderTracks(!hold);
              resolve();
            },
            onReject: ({ message }) => reject(new Error(`${message.statusCode}`)),
          },
        })
        .catch(reject);
    });
  call.hold = change(true);
  call.resume = change(false);
  call.hangUp = () => {
    if (session.state === SessionState.Established) return session.bye();
    // Its 487 is nothing but the echo of our own CANCEL.
    call.cancelled = true;
    return session instanceof Inviter ? session.cancel() : session.reject();
  };
  call.dtmf = (digits) => session.sessionDescriptionHandler.sendDtmf(digits, { duration: 120, interToneGap: 80 });
  call.info = async (digits) => {
    for (const digit of digits) {
      const body = {
        contentDisposition: "render",
        contentType: "application/dtmf-relay",
        content: `Signal=${digit}\r\nDuration=120`,
      };
      await session.info({ requestOptions: { body } });
    }
  };
}

function takeIncoming(call) {
  if (options.answer === "auto") call.answer();
  else if (typeof options.answer === "number") call.refuse(options.answer);
}

// ---- two peers in one page, without any gateway: the measuring tools themselves under test --------------------

client.loop = async ({ tone, amplitude, codec }) => {
  options = { tone, amplitude };
  const stream = await openMicrophone();
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate);
  const call = new Call("out");
  call.microphone = stream;
  call.watch(b);
  for (const track of stream.getTracks()) a.addTrack(track, stream);
  await a.setLocalDescription();
  await b.setRemoteDescription({ type: "offer", sdp: only(codec, a.localDescription.sdp) });
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  call.up();
  call.dtmf = (digits) => a.getSenders()[0].dtmf.insertDTMF(digits, 120, 80);
  return call.index;
};

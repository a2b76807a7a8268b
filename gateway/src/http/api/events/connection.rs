//! One WebSocket of the event stream, from its first frame to its last.

use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::sign_in::who;
use super::super::{Api, Code, Problem};
use super::feed::Feed;
use super::pages::Displaced;
use crate::auth::{Principal, Role, sip};
use crate::centre::command::{Asked, By, Command};
use crate::centre::event_stream::TooOld;
use crate::centre::view::Moment;

/// Between two pings.
const PING: Duration = Duration::from_secs(5);
/// Pings that may go without any frame from the other side.
const MISSES: u32 = 4;
/// Time that writing a batch may take.
const WRITE: Duration = Duration::from_secs(10);
/// Time that the other side may take to close.
const FAREWELL: Duration = Duration::from_secs(2);
/// Time that a page may take to subscribe.
const FIRST: Duration = Duration::from_secs(30);
/// The longest operation.
const MAX_TEXT: usize = 4096;
/// Between two batches of changes: with hundreds of subscribers most of the work is in writes, not in bytes.
const SPACE: Duration = Duration::from_millis(50);
/// Changes that are written between two looks at everything else.
const BATCH: usize = 256;

/// The token is not good, or not any longer.
pub(super) const TOKEN_INVALID: u16 = 4401;
/// May not do this.
const NOT_ALLOWED: u16 = 4403;
/// Reads too slowly.
const TOO_SLOW: u16 = 4408;
/// Close code for a message that is not an operation.
const NOT_UNDERSTOOD: u16 = 1008;
/// Too much to do: try again later.
const TRY_LATER: u16 = 1013;
const NORMAL: u16 = 1000;

/// Operation of a subscriber.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Said {
    Subscribe { from: From, tab: Option<String> },
    Pong { n: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum From {
    Seq(u64),
    Word(Word),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Snapshot,
}

/// Why a connection ends.
enum End {
    /// With a close frame.
    Close(u16, &'static str),
    /// The other side is gone.
    Gone,
}

/// Carries events until either side ends the connection, or the rights that it was opened with end.
pub(super) async fn run<S>(socket: WebSocketStream<S>, api: Api, principal: Principal)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut source) = socket.split();
    let mut connection = Connection {
        api,
        principal,
        feed: Feed::default(),
        page: None,
        pings: 0,
    };
    let end = connection.carry(&mut sink, &mut source).await;
    connection.leave_page();
    if let End::Close(code, reason) = end {
        close(&mut sink, &mut source, code, reason).await;
    }
}

/// Tells why and ends.
pub(super) async fn refuse<S>(socket: WebSocketStream<S>, code: u16, reason: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut source) = socket.split();
    close(&mut sink, &mut source, code, reason).await;
}

/// The closing handshake (RFC 6455 §7.1.2): a connection that is cut with frames unread takes ours with it.
async fn close<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    source: &mut SplitStream<WebSocketStream<S>>,
    code: u16,
    reason: &'static str,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    };
    let handshake = async {
        if sink.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = source.next().await {}
        }
    };
    let _ = timeout(FAREWELL, handshake).await;
}

struct Connection {
    api: Api,
    principal: Principal,
    feed: Feed,
    page: Option<Page>,
    /// Number of the last ping.
    pings: u64,
}

/// The connection as the active page of its agent.
struct Page {
    conn: u64,
    displaced: oneshot::Receiver<Displaced>,
}

impl Connection {
    async fn carry<S>(
        &mut self,
        sink: &mut SplitSink<WebSocketStream<S>, Message>,
        source: &mut SplitStream<WebSocketStream<S>>,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut ticks = interval_at(Instant::now() + PING, PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes = self.api.service.stream().watch();
        let mut revocations = self.api.accounts.revocations();
        let first = tokio::time::sleep(FIRST);
        tokio::pin!(first);
        let mut subscribed = false;
        let mut behind = false;
        let mut next = Instant::now();
        let mut misses = 0;
        loop {
            let mut frames = Vec::new();
            let step = tokio::select! {
                frame = source.next() => {
                    misses = 0;
                    match frame {
                        Some(Ok(Message::Text(text))) if text.len() > MAX_TEXT => {
                            Err(End::Close(1009, "frame too large"))
                        }
                        Some(Ok(Message::Text(text))) => {
                            subscribed = true;
                            self.heard(&text, &mut frames).await
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                            Err(End::Close(1003, "text frames only"))
                        }
                        Some(Err(Error::Capacity(_))) => Err(End::Close(1009, "frame too large")),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    }
                }
                changed = changed(&mut changes, behind, next), if self.feed.is_live() => match changed {
                    Ok(()) => Ok(()),
                    Err(_) => Err(End::Close(TRY_LATER, "stopping")),
                },
                displaced = displaced(self.page.as_mut()) => {
                    self.page = None;
                    match displaced {
                        Displaced::Superseded => {
                            frames.push(Message::text(r#"{"op":"superseded"}"#));
                            Ok(())
                        }
                        Displaced::Replaced => Err(End::Close(NORMAL, "this tab has a newer connection")),
                    }
                }
                _ = revocations.changed() => self.recheck(&mut frames),
                _ = ticks.tick() => {
                    misses += 1;
                    self.pings += 1;
                    frames.push(Message::text(format!(r#"{{"op":"ping","n":{}}}"#, self.pings)));
                    frames.push(Message::Ping(Default::default()));
                    if misses > MISSES { Err(End::Gone) } else { self.recheck(&mut frames) }
                }
                () = &mut first, if !subscribed => Err(End::Close(NOT_UNDERSTOOD, "subscribe first")),
            };
            if let Err(end) = step {
                return end;
            }
            match self.feed.next(self.api.service.stream(), &self.principal, BATCH) {
                Ok(events) => {
                    behind = events.len() == BATCH;
                    if !events.is_empty() {
                        next = Instant::now() + SPACE;
                    }
                    frames.extend(events.into_iter().map(Message::text));
                }
                Err(TooOld) => return End::Close(TOO_SLOW, "too slow"),
            }
            match timeout(WRITE, write(sink, frames)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Gone,
                Err(_) => return End::Close(TOO_SLOW, "too slow"),
            }
        }
    }

    async fn heard(&mut self, text: &str, frames: &mut Vec<Message>) -> Result<(), End> {
        let said = serde_json::from_str(text).map_err(|_| End::Close(NOT_UNDERSTOOD, "not an operation"))?;
        match said {
            Said::Subscribe { from, tab } => {
                self.recheck(frames)?;
                if let Some(tab) = tab {
                    self.open_page(&tab).await?;
                }
                self.subscribe(from, frames);
            }
            Said::Pong { n } => {
                // An answer to a ping that was not sent proves nothing.
                if (1..=self.pings).contains(&n) && self.page.is_some() {
                    let command = Command::PageAlive {
                        agent: self.principal.id.clone(),
                    };
                    // If the controller's queue is full, the next one will do.
                    let _ = self.api.service.signalling().try_send(self.asked(command));
                }
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, from: From, frames: &mut Vec<Message>) {
        match from {
            From::Word(Word::Snapshot) => {
                let me = who(&self.api, &self.principal);
                let time = Moment(self.api.now());
                frames.push(Message::text(self.feed.snapshot(
                    self.api.service.stream(),
                    &self.principal,
                    &me,
                    time,
                )));
            }
            From::Seq(seq) => {
                if self.feed.resume(self.api.service.stream(), seq).is_err() {
                    self.resync(frames);
                }
            }
        }
    }

    fn resync(&mut self, frames: &mut Vec<Message>) {
        self.feed.stop();
        frames.push(Message::text(r#"{"op":"resync"}"#));
    }

    /// Makes the page the active one of its agent. A user who is not an agent has none.
    async fn open_page(&mut self, tab: &str) -> Result<(), End> {
        if !self.principal.is(Role::Agent) {
            return Ok(());
        }
        if !sip::is_tab(tab) {
            return Err(End::Close(NOT_UNDERSTOOD, "not a tab name"));
        }
        // Its own earlier page is neither superseded nor replaced.
        self.leave_page();
        let agent = self.principal.id.clone();
        let (conn, displaced) = self.api.pages.open(&agent, tab, self.principal.session());
        self.page = Some(Page { conn, displaced });
        self.send_command(Command::PageAlive { agent })
            .await
            .map_err(|_| End::Close(TRY_LATER, "too much to do"))
    }

    fn leave_page(&mut self) {
        let Some(page) = self.page.take() else {
            return;
        };
        self.api.pages.close(&self.principal.id, page.conn);
    }

    /// Checks again that the subscriber is still allowed what it was allowed at first.
    fn recheck(&mut self, frames: &mut Vec<Message>) -> Result<(), End> {
        let Some(now) = self.api.accounts.current(self.api.now(), &self.principal) else {
            return Err(End::Close(TOKEN_INVALID, "signed out"));
        };
        let saw_all = self.principal.sees_all();
        self.principal = now;
        if super::may_subscribe(&self.principal) {
            if saw_all != self.principal.sees_all() && self.feed.is_live() {
                self.resync(frames);
            }
            Ok(())
        } else {
            Err(End::Close(NOT_ALLOWED, "not allowed"))
        }
    }

    /// Waits for room: a page that was opened must be known to live.
    async fn send_command(&self, command: Command) -> Result<(), Problem> {
        let sent = timeout(WRITE, self.api.service.signalling().send(self.asked(command))).await;
        sent.map_err(|_| Code::Busy)?.map_err(|_| Code::Busy.into())
    }

    fn asked(&self, command: Command) -> Asked {
        // Nobody waits for the answer.
        let (reply, _) = oneshot::channel();
        Asked {
            by: By::Agent(self.principal.id.clone()),
            command,
            reply,
        }
    }
}

async fn write<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    frames: Vec<Message>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if frames.is_empty() {
        return Ok(());
    }
    for frame in frames {
        sink.feed(frame).await?;
    }
    sink.flush().await
}

/// There are more changes, and it is time for them.
async fn changed(
    changes: &mut tokio::sync::watch::Receiver<u64>,
    behind: bool,
    next: Instant,
) -> Result<(), tokio::sync::watch::error::RecvError> {
    if behind {
        return Ok(());
    }
    sleep_until(next).await;
    changes.changed().await
}

async fn displaced(page: Option<&mut Page>) -> Displaced {
    match page {
        Some(page) => match (&mut page.displaced).await {
            Ok(why) => why,
            Err(_) => pending().await,
        },
        None => pending().await,
    }
}

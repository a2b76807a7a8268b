//! The gateway's API and event stream, as a program uses them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::Outcome;

/// Somebody who signed in.
#[derive(Clone)]
pub(super) struct Web {
    address: SocketAddr,
    token: String,
}

impl Web {
    /// Signs in.
    pub(super) async fn sign_in(address: SocketAddr, user: &str, password: &str) -> Outcome<Web> {
        let mut web = Web {
            address,
            token: String::new(),
        };
        let granted = web
            .ask(
                "POST",
                "/auth/login",
                Some(json!({"user": user, "password": password})),
            )
            .await?;
        web.token = granted["access_token"]
            .as_str()
            .ok_or("no access token")?
            .to_string();
        Ok(web)
    }

    /// Asks for something that is to succeed.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Outcome<Value> {
        let (status, text) = self.request(method, &format!("/api/v1{path}"), body).await?;
        if !(200..300).contains(&status) {
            return Err(format!("{method} {path}: {status} {text}").into());
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Status and body.
    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Outcome<(u16, String)> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let authorization = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             {authorization}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP response")?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or("no HTTP status")?;
        Ok((status, body.to_string()))
    }

    /// All records of calls, newest first, page by page.
    pub(super) async fn records(&self) -> Outcome<Vec<Value>> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self
                .ask("GET", &format!("/records?limit=200{cursor}"), None)
                .await?;
            match page["items"].take() {
                Value::Array(items) => records.extend(items),
                other => return Err(format!("no list of records: {other}").into()),
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(records),
            }
        }
    }

    /// Opens the event stream with a snapshot; `tab` makes it the page of an agent.
    pub(super) async fn events(&self, tab: Option<&str>) -> Outcome<Events> {
        let mut subscribe = json!({"op": "subscribe", "from": "snapshot"});
        if let Some(tab) = tab {
            subscribe["tab"] = tab.into();
        }
        self.open(&subscribe, TcpSocket::new_v4()?).await
    }

    /// Continues the event stream after the change with this number, or with a snapshot without one. `small`:
    /// little room for unread data.
    pub(super) async fn resume(&self, after: Option<u64>, small: bool) -> Outcome<Events> {
        let from = after.map_or_else(|| json!("snapshot"), |seq| json!(seq));
        let socket = TcpSocket::new_v4()?;
        if small {
            socket.set_recv_buffer_size(4_096)?;
        }
        self.open(&json!({"op": "subscribe", "from": from}), socket).await
    }

    async fn open(&self, subscribe: &Value, socket: TcpSocket) -> Outcome<Events> {
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{}/api/v1/events", self.address).into_client_request()?;
        let authorization = format!("Bearer {}", self.token).parse()?;
        request.headers_mut().insert("Authorization", authorization);
        let (socket, _) = client_async(request, stream).await?;
        let mut events = Events {
            socket,
            seen: Rc::default(),
        };
        events.say(subscribe).await?;
        Ok(events)
    }
}

/// An open event stream.
pub(super) struct Events {
    socket: WebSocketStream<TcpStream>,
    pub(super) seen: Rc<RefCell<Seen>>,
}

/// State of the stream so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Number of the last change.
    pub(super) seq: Option<u64>,
    /// Changes whose number did not follow the one before.
    pub(super) gaps: u64,
    /// Why it is not open any longer.
    pub(super) over: Option<String>,
    pub(super) changes: u64,
    /// The queues as they were last reported, by id.
    pub(super) queues: BTreeMap<String, Value>,
    /// Live calls, by id.
    pub(super) calls: BTreeMap<String, Value>,
    /// Calls that ended, by their outcome.
    pub(super) ended: BTreeMap<String, u64>,
    pub(super) offers_made: u64,
    /// Offers that ended, by how.
    pub(super) offers_ended: BTreeMap<String, u64>,
}

impl Events {
    /// Takes what comes next; pings are answered.
    pub(super) async fn next(&mut self) -> Outcome<()> {
        let text = self.text().await?;
        // The numbers alone are most of what an agent gets.
        if let Some(seq) = bare(&text) {
            self.seen.borrow_mut().number(seq);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&text)?;
        if let Some(op) = value["op"].as_str() {
            return Err(format!("the stream says {op}").into());
        }
        self.seen.borrow_mut().take(value);
        Ok(())
    }

    /// The next text that is no ping; pings are answered.
    pub(super) async fn text(&mut self) -> Outcome<String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.starts_with("{\"op\":\"ping\"") => {
                    let ping: Value = serde_json::from_str(&text)?;
                    self.say(&json!({"op": "pong", "n": ping["n"]})).await?;
                }
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(why))) => return Err(format!("the stream was closed: {why:?}").into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err("the stream ended".into()),
            }
        }
    }

    /// Cuts the connection: without a word, or so that data under way is thrown away too.
    pub(super) fn cut(self, reset: bool) -> Outcome<()> {
        if reset {
            self.socket.get_ref().set_zero_linger()?;
        }
        Ok(())
    }

    async fn say(&mut self, value: &Value) -> Outcome<()> {
        Ok(self.socket.send(Message::text(value.to_string())).await?)
    }
}

/// The number of a change that the subscriber may not see.
fn bare(text: &str) -> Option<u64> {
    text.strip_prefix("{\"seq\":")?.strip_suffix('}')?.parse().ok()
}

impl Seen {
    fn number(&mut self, seq: u64) {
        if self.seq.is_some_and(|last| last + 1 != seq) {
            self.gaps += 1;
        }
        self.seq = Some(seq);
        self.changes += 1;
    }

    fn take(&mut self, mut event: Value) {
        let Some(seq) = event["seq"].as_u64() else {
            return;
        };
        let data = event["data"].take();
        let id = data["id"].as_str().unwrap_or_default().to_string();
        if event["type"] == "snapshot" {
            self.seq = Some(seq);
            let by_id = |items: &Value| {
                let items = items.as_array().cloned().unwrap_or_default();
                let id = |item: &Value| item["id"].as_str().unwrap_or_default().to_string();
                items.into_iter().map(|item| (id(&item), item)).collect()
            };
            self.queues = by_id(&data["queues"]);
            self.calls = by_id(&data["calls"]);
            return;
        }
        self.number(seq);
        match event["type"].as_str().unwrap_or_default() {
            "queue.changed" => {
                self.queues.insert(id, data);
            }
            "call.changed" => {
                self.calls.insert(id, data);
            }
            "call.ended" => {
                self.calls.remove(&id);
                let outcome = data["record"]["outcome"].as_str().unwrap_or_default();
                *self.ended.entry(outcome.to_string()).or_default() += 1;
            }
            "offer.made" => self.offers_made += 1,
            "offer.ended" => {
                let how = data["how"].as_str().unwrap_or_default();
                *self.offers_ended.entry(how.to_string()).or_default() += 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_does_not_follow_is_a_gap() {
        let mut seen = Seen::default();
        seen.take(json!({"type": "snapshot", "seq": 7, "data": {"queues": [{"id": "que_a"}], "calls": []}}));
        seen.number(bare("{\"seq\":8}").unwrap());
        seen.take(json!({"type": "offer.made", "seq": 9, "data": {"id": "off_1"}}));
        assert_eq!(
            (seen.gaps, seen.changes, seen.offers_made, seen.queues.len()),
            (0, 2, 1, 1)
        );
        seen.number(11);
        assert_eq!((seen.gaps, seen.seq), (1, Some(11)));
        assert_eq!(bare("{\"seq\":8,\"type\":\"x\"}"), None);
    }
}

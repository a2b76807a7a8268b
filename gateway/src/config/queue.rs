//! A queue's settings, each described once: type, limits, default and meaning. The file and the API take them by the same keys; the
//! reader of the file, the checks of the API and its OpenAPI document come from this description.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use call_engine::acd::Strategy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::centre::{maybe_seconds, range, seconds};
use super::hours::{Holiday, Open, Zone};
use super::load::set;
use super::read_centre::within;
use super::reader::{Reader, Section, boolean};
use super::values::{seconds as read_seconds, seconds_or_never};

/// A setting whose value is a number or a length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Key in the file and in the API.
    pub(crate) key: &'static str,
    /// Least and greatest value; seconds for a length of time.
    pub(crate) range: RangeInclusive<u64>,
}

/// Describes the settings of a queue:
/// - `number(T, least, greatest)`, `limit(T, least, greatest)`: a number; a number that may be left out,
/// - `seconds(least, greatest)`, `wait(least, greatest)`: whole seconds; seconds that may be left out,
/// - `pause(least, greatest)`: as `wait`, and 0 in the file means none,
/// - `switch()`: true or false,
/// - `other(T)`: anything else, read and checked by hand.
macro_rules! settings {
    ($($(#[$meta:meta])* $key:ident: $kind:ident $args:tt = $default:expr;)*) => {
        settings!(@struct [] $({ $(#[$meta])* $key $kind $args })*);

        impl Default for Queue {
            fn default() -> Queue {
                Queue { $($key: settings!(@default $kind $default),)* }
            }
        }

        impl Queue {
            /// Numbers, lengths of time and switches, as far as the file has them.
            pub(super) fn read_plain<'t>(&mut self, r: &mut Reader<'t>, s: &mut Section<'t>) {
                $(settings!(@read self r s $key $kind $args);)*
            }

            /// Values that are there of the settings with limits, in the order of the description.
            pub(crate) fn limited(&self) -> Vec<(Limit, u64)> {
                let mut all = Vec::new();
                $(settings!(@limit self all $key $kind $args);)*
                all
            }
        }
    };

    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident number($t:ty, $min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* #[schema(minimum = $min, maximum = $max)] pub $key: $t,] $($rest)*);
    };
    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident limit($t:ty, $min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* #[schema(minimum = $min, maximum = $max)] pub $key: Option<$t>,] $($rest)*);
    };
    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident seconds($min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* #[serde(with = "seconds")]
            #[schema(value_type = u32, minimum = $min, maximum = $max)] pub $key: Duration,] $($rest)*);
    };
    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident wait($min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* #[serde(with = "maybe_seconds")]
            #[schema(value_type = Option<u32>, minimum = $min, maximum = $max)] pub $key: Option<Duration>,] $($rest)*);
    };
    (@struct $done:tt { $(#[$m:meta])* $key:ident pause $args:tt } $($rest:tt)*) => {
        settings!(@struct $done { $(#[$m])* $key wait $args } $($rest)*);
    };
    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident switch() } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* pub $key: bool,] $($rest)*);
    };
    (@struct [$($done:tt)*] { $(#[$m:meta])* $key:ident other($t:ty) } $($rest:tt)*) => {
        settings!(@struct [$($done)* $(#[$m])* pub $key: $t,] $($rest)*);
    };
    (@struct [$($done:tt)*]) => {
        /// A queue, in which callers wait for agents. Durations are in seconds.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schema(as = QueueSettings)]
        pub struct Queue { $($done)* }
    };

    (@default seconds $default:expr) => { Duration::from_secs($default) };
    (@default wait $default:expr) => { $default.map(Duration::from_secs) };
    (@default pause $default:expr) => { $default.map(Duration::from_secs) };
    (@default $kind:ident $default:expr) => { $default };

    (@read $queue:ident $r:ident $s:ident $key:ident number($t:ty, $min:tt, $max:tt)) => {
        set(&mut $queue.$key, $r.get($s, stringify!($key), |v| within(v, $min..=$max)));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident limit($t:ty, $min:tt, $max:tt)) => {
        $queue.$key = $r.get($s, stringify!($key), |v| within(v, $min..=$max));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident seconds($min:tt, $max:tt)) => {
        set(&mut $queue.$key, $r.get($s, stringify!($key), |v| read_seconds(v, $min..=$max)));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident wait($min:tt, $max:tt)) => {
        $queue.$key = $r.get($s, stringify!($key), |v| read_seconds(v, $min..=$max));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident pause($min:tt, $max:tt)) => {
        set(&mut $queue.$key, $r.get($s, stringify!($key), |v| seconds_or_never(v, $min..=$max)));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident switch()) => {
        set(&mut $queue.$key, $r.get($s, stringify!($key), boolean));
    };
    (@read $queue:ident $r:ident $s:ident $key:ident other $args:tt) => {};

    (@limit $queue:ident $all:ident $key:ident number($t:ty, $min:tt, $max:tt)) => {
        $all.push((settings!(@described $key $min $max), u64::from($queue.$key)));
    };
    (@limit $queue:ident $all:ident $key:ident limit($t:ty, $min:tt, $max:tt)) => {
        $all.extend($queue.$key.map(|value| (settings!(@described $key $min $max), u64::from(value))));
    };
    (@limit $queue:ident $all:ident $key:ident seconds($min:tt, $max:tt)) => {
        $all.push((settings!(@described $key $min $max), $queue.$key.as_secs()));
    };
    (@limit $queue:ident $all:ident $key:ident wait($min:tt, $max:tt)) => {
        $all.extend($queue.$key.map(|value| (settings!(@described $key $min $max), value.as_secs())));
    };
    (@limit $queue:ident $all:ident $key:ident pause $args:tt) => {
        settings!(@limit $queue $all $key wait $args);
    };
    (@limit $queue:ident $all:ident $key:ident $kind:ident $args:tt) => {};
    (@described $key:ident $min:tt $max:tt) => {
        Limit { key: stringify!($key), range: $min..=$max }
    };
}

settings! {
    /// Name in rules of the dial plan, by which the queue can also be called.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "support"
    )]
    name: other(String) = String::new();
    /// Name shown to people; the `name` if empty.
    #[schema(max_length = 64, example = "Support")]
    display: other(String) = String::new();
    /// Number to call the queue by, unless a rule of the dial plan matches it.
    #[schema(max_length = 32, pattern = "^[0-9+*#]+$", example = "9001")]
    number: other(Option<String>) = None;
    /// Strategy for choosing among idle agents.
    #[schema(value_type = String, example = "longest-idle")]
    strategy: other(Strategy) = Strategy::LongestIdle;
    /// Skills that an agent must have, with the minimum levels, 1 to 100.
    #[schema(value_type = BTreeMap<String, u8>)]
    requires: other(BTreeMap<String, u8>) = BTreeMap::new();
    /// Highest tier whose agents are asked at first; default: all.
    max_tier: limit(u8, 0, 9) = None;
    /// Steps by which a call that waits long accepts more agents.
    #[schema(max_items = 10)]
    widening: other(Vec<Widening>) = Vec::new();
    /// Rate at which its calls age, beside those of other queues.
    rate: number(u32, 1, 100) = 1;
    /// Priority of its calls, unless a rule gives another: each step counts as arriving `boost` earlier.
    priority: number(u8, 0, 9) = 0;
    /// Waiting time that a step of priority is worth.
    boost: seconds(0, 3600) = 60;
    /// Time that an agent's phone rings.
    ring: seconds(5, 120) = 20;
    /// Ring-progressive: time until one more phone rings.
    progress: seconds(1, 60) = 5;
    /// After a call.
    wrap_up: seconds(0, 3600) = 15;
    /// Calls in a row that an agent lets ring before being paused; 0: never.
    max_no_answer: number(u32, 0, 10) = 1;
    /// Time for which a call waits for the agent whom its caller last talked to in this queue, if signed in.
    sticky: wait(1, 600) = None;
    /// Days for which that agent is remembered.
    sticky_days: number(u16, 1, 90) = 7;
    /// Time within which an answered call counts as in time.
    service_level: seconds(1, 3600) = 20;
    /// Maximum wait of a call.
    max_wait: wait(1, 86400) = None;
    /// Maximum number of waiting calls.
    max_length: limit(u32, 1, 100_000) = None;
    /// True if calls do not wait while no agent of the queue is signed in.
    leave_when_empty: switch() = false;
    /// True if agents are not shown supervisors who only listen.
    silent_monitoring: switch() = false;
    /// Time between announcements of a caller's position, the first after 2 seconds; none: no announcements.
    announce: pause(10, 3600) = Some(30);
    /// Destination of calls that the queue does not keep.
    overflow: other(Overflow) = Overflow::HangUp;
    /// Opening hours; empty: always open.
    #[schema(value_type = Vec<String>, max_items = 50, example = json!(["mon-fri 08:00-18:00", "sat 10:00-14:00"]))]
    hours: other(Vec<Open>) = Vec::new();
    /// Days on which the queue is closed.
    #[schema(value_type = Vec<String>, max_items = 400, example = json!(["2026-12-25"]))]
    holidays: other(Vec<Holiday>) = Vec::new();
    /// Time zone of hours and holidays; default: that of the gateway.
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    time_zone: other(Option<Zone>) = None;
    /// Destination of calls that arrive while the queue is closed; default: as `overflow`.
    closed: other(Option<Overflow>) = None;
    /// The wallboard warns when more calls are waiting.
    alarm_waiting: limit(u32, 0, 100_000) = None;
    /// The wallboard warns when a call has waited longer.
    alarm_wait: wait(1, 86400) = None;
    /// The wallboard warns when a smaller share of the day's calls was answered in time, per cent.
    alarm_service_level: limit(u8, 1, 100) = None;
}

impl Queue {
    /// A queue of this name, as most are.
    #[must_use]
    pub fn new(name: &str) -> Queue {
        Queue {
            name: name.to_owned(),
            display: name.to_owned(),
            ..Queue::default()
        }
    }
}

/// A step by which a call that waits long accepts more agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueWidening)]
pub struct Widening {
    /// Time waited until this step applies.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 86400)]
    pub after: Duration,
    /// Highest tier whose agents are asked; default: all.
    #[serde(default)]
    #[schema(maximum = 9)]
    pub max_tier: Option<u8>,
    /// Amount by which required levels are lowered; one that reaches 0 no longer counts.
    #[serde(default)]
    #[schema(maximum = 100)]
    pub lower: u8,
}

/// Destination of calls that a queue does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// Another queue, by id.
    Queue(String),
    /// A number, resolved by the dial plan.
    Number(String),
    /// No destination: the call ends.
    #[default]
    HangUp,
}

/// Id of the queue that a file defines under this name.
#[must_use]
pub fn queue_id(name: &str) -> String {
    format!("que_{name}")
}

/// Checks that steps of widening follow each other in time.
pub(crate) fn ascending(steps: &[Widening]) -> Result<(), String> {
    if steps.len() > range::STEPS {
        return Err(format!("at most {} steps", range::STEPS));
    }
    if steps.windows(2).any(|two| two[0].after >= two[1].after) {
        return Err("each step must come after the one before".into());
    }
    Ok(())
}

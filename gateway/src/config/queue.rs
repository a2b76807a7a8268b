//! A queue's settings, each described once: type, limits, default and meaning. The file and the API take them by the same keys. The
//! reader of the file, the checks of the API and its OpenAPI document, the engine's configuration and the table in
//! `docs/CONFIGURATION.md` come from this description; [`super::setting`] has the kinds of values.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use call_engine::acd::{self, QueueConfig, QueueId, Strategy};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::centre::{maybe_seconds, seconds};
use super::engine_ids::{EngineIds, ForEngine};
use super::hours::{self, Holiday, Open, Zone};
use super::queue_ref::{Overflow, QueueRef};
use super::setting::{
    Described, Destination, Dialled, FieldErrors, Interval, Line, List, Maybe, Name, Number, Required,
    Seconds, Setting, Skills, Steps, Strategies, Switch, Table, Text,
};

/// Describes settings: `key: kind(limits) = default, like example => engine;`. The example and `=> engine`, for a setting that the
/// engine has by the same name, may be left out. Lengths of time are written as whole seconds. Kinds:
/// - `number(T, least, greatest)`; `limit(…)` may be left out; `or_zero(…)` is 0 if left out, in a table whose other keys are required,
/// - `seconds(least, greatest)`; `wait(…)` may be left out; `interval(…)` too, and is 0 in the file for none; `needed_seconds(…)` must be there,
/// - `switch()`, `name()`, `line(most characters)`, `dialled()`, `strategy()`, `text(T)`,
/// - `skills(most)`, `steps(most)`, `list(T, most)`,
/// - `destination(key for a queue, key for a number)`; `other_destination(…)` may be left out.
macro_rules! settings {
    (
        $(#[$attr:meta])*
        struct $name:ident $(for $config:ident)? {
            $($(#[doc = $doc:literal])+ $key:ident: $kind:ident $args:tt = $default:expr $(, like $like:tt)? $(=> $engine:ident)?;)*
        }
    ) => {
        settings!(@struct [$(#[$attr])*] $name []
            $({ [$(#[doc = $doc])+ $(#[schema(example = json!($like))])?] $key $kind $args })*);
        settings!(@engine $name $([$config])? $({ $key $kind $args $($engine)? })*);

        impl $name {
            fn with_defaults() -> $name {
                $name { $($key: settings!(@default $kind $default),)* }
            }

            /// Takes what a table of the file has. What the API would refuse is a warning.
            fn take(&mut self, t: &mut Table<'_, '_>) {
                $(
                    let kind = settings!(@kind $kind $args);
                    if let Some(value) = kind.read(stringify!($key), t) {
                        let mut doubts = FieldErrors::new();
                        kind.check(stringify!($key), &value, &mut doubts);
                        for (field, doubt) in doubts {
                            let at = kind.keys(stringify!($key)).into_iter().find_map(|key| t.s.span(key));
                            t.r.warn(at.unwrap_or(t.at.clone()), format!("{}: {doubt}", t.s.path(&field)));
                        }
                        self.$key = value;
                    }
                )*
            }

            /// Adds what is wrong with its values; `prefix` stands before the names of the fields.
            pub(crate) fn check(&self, prefix: &str, wrong: &mut FieldErrors) {
                $(
                    let field = format!("{prefix}{}", stringify!($key));
                    settings!(@kind $kind $args).check(&field, &self.$key, wrong);
                )*
            }

            /// Each setting, for the documentation, which a test compares with it.
            #[cfg_attr(not(test), allow(dead_code))]
            pub(crate) fn described() -> Vec<Described> {
                let defaults = $name::with_defaults();
                let mut all = Vec::new();
                $(
                    let kind = settings!(@kind $kind $args);
                    all.push(Described {
                        keys: kind.keys(stringify!($key)),
                        default: kind.shown(&defaults.$key),
                        values: kind.values(),
                        meaning: [$($doc),+].map(str::trim).join(" "),
                        example: None::<&str>$(.or(Some(stringify!($like))))?,
                    });
                )*
                all
            }
        }
    };

    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident number($t:ty, $min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(minimum = $min, maximum = $max)] pub $key: $t,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident or_zero($t:ty, $min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[serde(default)] #[schema(minimum = $min, maximum = $max)] pub $key: $t,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident limit($t:ty, $min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(minimum = $min, maximum = $max)] pub $key: Option<$t>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident seconds($min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[serde(with = "seconds")]
            #[schema(value_type = u32, minimum = $min, maximum = $max)] pub $key: Duration,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident $done:tt { $m:tt $key:ident needed_seconds $args:tt } $($rest:tt)*) => {
        settings!(@struct $attrs $name $done { $m $key seconds $args } $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident wait($min:tt, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[serde(with = "maybe_seconds")]
            #[schema(value_type = Option<u32>, minimum = $min, maximum = $max)] pub $key: Option<Duration>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident $done:tt { $m:tt $key:ident interval $args:tt } $($rest:tt)*) => {
        settings!(@struct $attrs $name $done { $m $key wait $args } $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident switch() } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* pub $key: bool,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident name() } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)*
            #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9][a-z0-9._-]*$")] pub $key: String,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident line($max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(max_length = $max)] pub $key: String,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident dialled() } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)*
            #[schema(max_length = 32, pattern = "^[0-9+*#]+$")] pub $key: Option<String>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident strategy() } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(value_type = String)] pub $key: Strategy,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident text($t:ty) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(value_type = Option<String>)] pub $key: Option<$t>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident skills $args:tt } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)*
            #[schema(value_type = BTreeMap<String, u8>)] pub $key: BTreeMap<String, u8>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident steps($max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* #[schema(max_items = $max)] pub $key: Vec<Widening>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident list($t:ty, $max:tt) } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)*
            #[schema(value_type = Vec<String>, max_items = $max)] pub $key: Vec<$t>,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident destination $args:tt } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* pub $key: Overflow,] $($rest)*);
    };
    (@struct $attrs:tt $name:ident [$($done:tt)*] { [$($m:tt)*] $key:ident other_destination $args:tt } $($rest:tt)*) => {
        settings!(@struct $attrs $name [$($done)* $($m)* pub $key: Option<Overflow>,] $($rest)*);
    };
    (@struct [$($attr:tt)*] $name:ident [$($done:tt)*]) => {
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        $($attr)*
        pub struct $name { $($done)* }
    };

    (@kind number($t:ty, $min:tt, $max:tt)) => { Number::<$t>::new($min, $max) };
    (@kind or_zero $args:tt) => { settings!(@kind number $args) };
    (@kind limit $args:tt) => { Maybe(settings!(@kind number $args)) };
    (@kind seconds($min:tt, $max:tt)) => { Seconds(Number::new($min, $max)) };
    (@kind needed_seconds $args:tt) => { Required(settings!(@kind seconds $args)) };
    (@kind wait $args:tt) => { Maybe(settings!(@kind seconds $args)) };
    (@kind interval $args:tt) => { Interval(settings!(@kind seconds $args)) };
    (@kind switch()) => { Switch };
    (@kind name()) => { Name };
    (@kind line($max:tt)) => { Line { least: 0, greatest: $max } };
    (@kind dialled()) => { Maybe(Dialled) };
    (@kind strategy()) => { Strategies };
    (@kind text($t:ty)) => { Maybe(Text::<$t>(PhantomData)) };
    (@kind skills($max:tt)) => { Skills { most: $max } };
    (@kind steps($max:tt)) => { Steps { most: $max } };
    (@kind list($t:ty, $max:tt)) => { List::<$t>::new($max) };
    (@kind destination($queue:tt, $number:tt)) => { Destination { queue: $queue, number: $number } };
    (@kind other_destination $args:tt) => { Maybe(settings!(@kind destination $args)) };

    (@default seconds $default:expr) => { Duration::from_secs($default) };
    (@default needed_seconds $default:expr) => { Duration::from_secs($default) };
    (@default wait $default:expr) => { $default.map(Duration::from_secs) };
    (@default interval $default:expr) => { $default.map(Duration::from_secs) };
    (@default $kind:ident $default:expr) => { $default };

    (@engine $name:ident [$config:ident] $({ $key:ident $kind:ident $args:tt $($engine:ident)? })*) => {
        impl $name {
            /// Sets what the engine has by the same names.
            fn set_engine(&self, config: &mut $config, ids: &EngineIds) {
                $($(settings!(@copy $engine self config ids $key);)?)*
            }

            /// Queues that it refers to: by which setting, by which key of the file, and which queue.
            pub(crate) fn references(&self) -> Vec<(&'static str, &'static str, &QueueRef)> {
                let mut all = Vec::new();
                $(
                    let kind = settings!(@kind $kind $args);
                    let key = kind.keys(stringify!($key))[0];
                    all.extend(kind.queue(&self.$key).map(|queue| (stringify!($key), key, queue)));
                )*
                all
            }
        }
    };
    (@engine $name:ident $($rest:tt)*) => {};
    (@copy engine $settings:ident $config:ident $ids:ident $key:ident) => {
        $config.$key = $settings.$key.for_engine($ids)
    };
}

settings! {
    /// A queue, in which callers wait for agents. Durations are in seconds.
    #[serde(default, deny_unknown_fields)]
    #[schema(as = QueueSettings)]
    struct Queue for QueueConfig {
        /// Name in rules of the dial plan, by which the queue can also be called.
        name: name() = String::new(), like "support";
        /// Name shown to people; the `name` if empty.
        display: line(64) = String::new(), like "Support";
        /// Number to call the queue by, unless a rule of the dial plan matches it.
        number: dialled() = None, like "9001";
        /// Strategy for choosing among idle agents.
        strategy: strategy() = Strategy::LongestIdle, like "longest-idle" => engine;
        /// Skills that an agent must have, with the minimum levels, 1 to 100.
        requires: skills(100) = BTreeMap::new() => engine;
        /// Highest tier whose agents are asked at first; default: all.
        max_tier: limit(u8, 0, 9) = None => engine;
        /// Steps by which a call that waits long accepts more agents.
        widening: steps(10) = Vec::new() => engine;
        /// Rate at which its calls age, beside those of other queues of the same agents.
        rate: number(u32, 1, 100) = 1 => engine;
        /// Priority of its calls, unless a rule gives another: each step counts as arriving `boost` earlier.
        priority: number(u8, 0, 9) = 0;
        /// Waiting time that a step of priority is worth. Calls age, so nobody waits for ever.
        boost: seconds(0, 3600) = 60 => engine;
        /// Time that an agent's phone rings.
        ring: seconds(5, 120) = 20 => engine;
        /// Time until one more phone rings, with the strategy `ring-progressive`.
        progress: seconds(1, 60) = 5 => engine;
        /// Time after a call before the agent gets the next one.
        wrap_up: seconds(0, 3600) = 15 => engine;
        /// Calls in a row that an agent lets ring before being paused; 0: never.
        max_no_answer: number(u32, 0, 10) = 1 => engine;
        /// Time for which a call waits for the agent whom its caller last talked to in this queue, if signed in.
        sticky: wait(1, 600) = None;
        /// Days for which that agent is remembered.
        sticky_days: number(u16, 1, 90) = 7;
        /// Time within which an answered call counts as in time.
        service_level: seconds(1, 3600) = 20;
        /// Maximum wait of a call.
        max_wait: wait(1, 86400) = None => engine;
        /// Maximum number of waiting calls.
        max_length: limit(u32, 1, 100_000) = None => engine;
        /// True if calls do not wait while no agent of the queue is signed in.
        leave_when_empty: switch() = false => engine;
        /// True if agents are not shown supervisors who only listen; those who whisper or barge in are always shown. Check the law and your agreements with staff before you turn it on.
        silent_monitoring: switch() = false;
        /// Time between announcements of a caller's position, the first after 2 seconds; none: no announcements.
        announce: interval(10, 3600) = Some(30) => engine;
        /// Destination of calls that the queue does not keep.
        overflow: destination("overflow_queue", "overflow_number") = Overflow::HangUp => engine;
        /// Opening hours; none: always open. If the end is before the beginning, it is on the next day; `24:00` is midnight.
        hours: list(Open, 50) = Vec::new(), like ["mon-fri 08:00-18:00", "sat 10:00-14:00"];
        /// Days on which the queue is closed.
        holidays: list(Holiday, 400) = Vec::new(), like ["2026-12-25"];
        /// Time zone of hours and holidays; default: that of the gateway.
        time_zone: text(Zone) = None, like "Europe/Berlin";
        /// Destination of calls that arrive while the queue is closed; default: as `overflow`.
        closed: other_destination("closed_queue", "closed_number") = None => engine;
        /// The wallboard warns when more calls are waiting.
        alarm_waiting: limit(u32, 0, 100_000) = None;
        /// The wallboard warns when a call has waited longer.
        alarm_wait: wait(1, 86400) = None;
        /// The wallboard warns when a smaller share of the day's calls was answered in time, per cent.
        alarm_service_level: limit(u8, 1, 100) = None;
    }
}

settings! {
    /// A step by which a call that waits long accepts more agents.
    #[derive(Copy)]
    #[serde(deny_unknown_fields)]
    #[schema(as = QueueWidening)]
    struct Widening {
        /// Time waited until this step applies.
        after: needed_seconds(1, 86400) = 0;
        /// Highest tier whose agents are asked; default: all.
        max_tier: limit(u8, 0, 9) = None;
        /// Amount by which required levels are lowered; one that reaches 0 no longer counts.
        lower: or_zero(u8, 0, 100) = 0;
    }
}

/// Monday 00:00 to Sunday 24:00.
const WHOLE_WEEK: acd::Span = acd::Span {
    from: 0,
    until: 7 * 24 * 60,
};

impl Default for Queue {
    fn default() -> Queue {
        Queue::with_defaults()
    }
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

    /// Name shown to people.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.display.is_empty() {
            &self.name
        } else {
            &self.display
        }
    }

    /// Reads a table of the file. What is wrong is reported, and has its default here.
    pub(super) fn read(t: &mut Table<'_, '_>) -> Queue {
        let mut queue = Queue::default();
        queue.take(t);
        if t.s.span("display").is_none() {
            queue.display.clone_from(&queue.name);
        }
        queue
    }

    /// The queue as the engine takes it.
    #[must_use]
    pub fn engine(&self, id: QueueId, ids: &EngineIds) -> QueueConfig {
        let mut config = QueueConfig::new(id, self.strategy);
        self.set_engine(&mut config, ids);
        config.sticky_wait = self.sticky.unwrap_or_default();
        config.hours = self.calendar();
        config
    }

    /// Opening hours for the engine; none for a queue that is always open.
    fn calendar(&self) -> Option<acd::Hours> {
        if self.hours.is_empty() && self.holidays.is_empty() {
            return None;
        }
        let mut hours = hours::resolve(&self.hours, &self.holidays, self.time_zone.as_ref());
        if self.hours.is_empty() {
            hours.week = vec![WHOLE_WEEK];
        }
        Some(hours)
    }

    /// Time for which the agent whom a caller last talked to is remembered; none if that does not count.
    #[must_use]
    pub fn remembered(&self) -> Option<Duration> {
        self.sticky
            .map(|_| Duration::from_secs(u64::from(self.sticky_days) * 86_400))
    }
}

impl Widening {
    /// Reads a step; `None` without the time that it begins at, which is reported.
    pub(super) fn read(t: &mut Table<'_, '_>) -> Option<Widening> {
        let mut step = Widening::with_defaults();
        step.take(t);
        (!step.after.is_zero()).then_some(step)
    }
}

//! Sound that a leg hears.

use media_core::control::{Application, Command, Phrase};

use super::{Leg, Media};
use crate::context::Context;

/// Sound of a leg.
#[derive(Debug)]
pub(super) struct Sound {
    hears: Hears,
    /// Application that it hears outside a bridge, if nothing else is due.
    application: Option<Application>,
}

/// Sound that a leg was last set to hear: commands are sent on change only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    Nothing,
    Bridge,
    Ringback,
    Music,
    Application,
}

impl Default for Sound {
    fn default() -> Sound {
        Sound {
            hears: Hears::Nothing,
            application: None,
        }
    }
}

impl Leg {
    /// Its peer may hear us now.
    pub(crate) fn is_connected(&self) -> bool {
        self.negotiation.media().is_some() && self.is_live() && matches!(self.media, Media::Open)
    }

    pub(crate) fn application(&self) -> Option<&Application> {
        self.sound.application.as_ref()
    }

    pub(crate) fn set_application(&mut self, application: Option<Application>) {
        self.sound.application = application;
    }

    /// Hears `application` outside a bridge; it is told again even where it hears one already.
    pub(crate) fn play(&mut self, application: Option<Application>) {
        self.sound.application = application;
        if self.sound.hears == Hears::Application {
            self.sound.hears = Hears::Nothing;
        }
    }

    /// Notes what it hears, where the bridge itself is changed.
    pub(crate) fn set_hears(&mut self, hears: Hears) {
        self.sound.hears = hears;
    }

    /// Notes that it is in no bridge any more.
    pub(crate) fn leave_bridge(&mut self) {
        if self.sound.hears == Hears::Bridge {
            self.sound.hears = Hears::Nothing;
        }
    }

    /// Lets it hear something else.
    pub(crate) fn change_sound(&mut self, cx: &mut Context, hears: Hears) {
        if self.sound.hears == hears || !self.is_connected() {
            return;
        }
        let was = std::mem::replace(&mut self.sound.hears, hears);
        if was == Hears::Bridge && hears == Hears::Nothing {
            return; // the bridge itself is taken down or put in place by the caller
        }
        let application = match hears {
            Hears::Nothing | Hears::Bridge => None,
            Hears::Ringback => Some(Application::Ringback),
            Hears::Music => Some(Application::Music),
            Hears::Application => self.sound.application.clone(),
        };
        let leg = self.id;
        self.command(cx, Command::Play { leg, application });
    }

    /// Says something in the place of the music or the application that it hears. False if it hears something else.
    pub(crate) fn announce(&self, cx: &mut Context, phrase: Phrase) -> bool {
        let waits = self.is_connected() && matches!(self.sound.hears, Hears::Music | Hears::Application);
        if waits {
            let leg = self.id;
            self.command(cx, Command::Announce { leg, phrase });
        }
        waits
    }
}

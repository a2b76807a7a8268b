/// Service of a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    None,
    Relay,
    Transcode,
    Mix,
    Application,
}

impl Mode {
    /// Name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Relay => "relay",
            Mode::Transcode => "transcode",
            Mode::Mix => "mix",
            Mode::Application => "application",
        }
    }
}

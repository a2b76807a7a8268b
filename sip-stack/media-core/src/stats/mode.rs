/// Service of a leg: where what its peer hears comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is sent to it.
    #[default]
    None,
    /// Packets of the other leg, with new headers.
    Relay,
    /// Sound of the other leg, in another codec.
    Transcode,
    /// Sound of several legs, added up.
    Mix,
    /// Sound of the shard itself.
    Application,
}

impl Mode {
    /// Name in reports: `none`, `relay`, `transcode`, `mix` or `application`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Relay => "relay",
            Mode::Transcode => "transcode",
            Mode::Mix => "mix",
            Mode::Application => "application",
        }
    }
}

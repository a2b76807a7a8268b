use crate::negotiated::Codec;
use crate::stats::Mode;

/// Counts of a leg that nothing else keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) received: u64,
    pub(crate) octets: u64,
    pub(crate) refused: u64,
    pub(crate) codec_received: Option<Codec>,
    pub(crate) codec_sent: Option<Codec>,
    pub(crate) concealed: u64,
    pub(crate) fec_recovered: u64,
    pub(crate) remote_fraction_lost: u8,
    pub(crate) remote_jitter_us: u32,
    pub(crate) round_trip_us: u32,
    pub(crate) mode: Mode,
}

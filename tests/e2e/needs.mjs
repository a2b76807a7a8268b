// What each file of cases needs on two processors with the debug build, measured, or estimated from its cases.
//
// `seconds`: how long it takes alone. `cores`: the part of the processors that is kept free for it, more than its mean, because browsers start
// and stop. `listens`: it measures sound or time.

export const NEEDS = {
  agent_page: { seconds: 130, cores: 0.66 },
  agent_page_access: { seconds: 55, cores: 0.66 },
  agent_page_colleagues: { seconds: 45, cores: 0.66 },
  agent_page_lost: { seconds: 45, cores: 0.66 },
  browser_no_answer: { seconds: 27, cores: 0.3 },
  page: { seconds: 220, cores: 0.66 },
  readme: { seconds: 14, cores: 0.66 },
  softphone: { seconds: 270, cores: 0.66 },
  wallboard_page: { seconds: 150, cores: 0.66 },

  browser_baresip: { seconds: 12, cores: 0.5, listens: true },
  browser_browser: { seconds: 80, cores: 1, listens: true },
  browser_echo: { seconds: 75, cores: 1, listens: true },
  browser_lost: { seconds: 75, cores: 1, listens: true },
  browser_many: { seconds: 90, cores: 0.5, listens: true },
  browser_phone: { seconds: 210, cores: 1, listens: true },
  browser_trunk: { seconds: 25, cores: 0.5, listens: true },
  centre: { seconds: 165, cores: 1, listens: true },
  cli: { seconds: 40, cores: 0.5, listens: true },
  configure: { seconds: 24, cores: 1, listens: true },
  failover: { seconds: 25, cores: 1, listens: true },
  feature_codes: { seconds: 25, cores: 0.5, listens: true },
  reach: { seconds: 35, cores: 0.5, listens: true },
  recording: { seconds: 45, cores: 0.5, listens: true },
  recording_agent: { seconds: 30, cores: 1, listens: true },
  killed: { seconds: 100, cores: 1, listens: true },
  linphone: { seconds: 40, cores: 0.5, listens: true },
  pbx: { seconds: 125, cores: 1, listens: true },
  pbx_lamps: { seconds: 45, cores: 0.66 },
  phone: { seconds: 52, cores: 0.5, listens: true },
  phone_webrtc: { seconds: 35, cores: 0.5, listens: true },
  refer: { seconds: 120, cores: 0.5, listens: true },
  registration: { seconds: 60, cores: 0.5, listens: true },
  story: { seconds: 45, cores: 1.2, listens: true },
  tools: { seconds: 45, cores: 1, listens: true },
  trunk_test: { seconds: 60, cores: 0.5, listens: true },
  trunk: { seconds: 67, cores: 0.5, listens: true },
};

/** A file that nobody has measured. */
export const OTHER = { seconds: 60, cores: 1, listens: true };

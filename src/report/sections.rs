//! The sections of a report and their order: the same on the page, on the terminal and in the step
//! summary. Each of them leaves out the sections that it does not show.

/// A section of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Checks,
    Account,
    Anomalies,
    Notes,
    Timeline,
    Faults,
    Metadata,
    Containers,
    Scenarios,
    Errors,
    Connections,
    Partitions,
    Source,
    Files,
}

impl Section {
    pub const ORDER: [Self; 14] = [
        Self::Checks,
        Self::Account,
        Self::Anomalies,
        Self::Notes,
        Self::Timeline,
        Self::Faults,
        Self::Metadata,
        Self::Containers,
        Self::Scenarios,
        Self::Errors,
        Self::Connections,
        Self::Partitions,
        Self::Source,
        Self::Files,
    ];

    /// The id of its element on the page.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Account => "account",
            Self::Anomalies => "anomalies",
            Self::Notes => "notes",
            Self::Timeline => "timeline",
            Self::Faults => "faults",
            Self::Metadata => "changes",
            Self::Containers => "containers",
            Self::Scenarios => "scenarios",
            Self::Errors => "errors",
            Self::Connections => "connect",
            Self::Partitions => "partitions",
            Self::Source => "source",
            Self::Files => "files",
        }
    }

    /// Its entry in the list of sections at the top of the page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Checks => "Checks",
            Self::Account => "Messages",
            Self::Anomalies => "Anomalies",
            Self::Notes => "Notes",
            Self::Timeline => "Timeline",
            Self::Faults => "Faults",
            Self::Metadata => "Metadata",
            Self::Containers => "Containers",
            Self::Scenarios => "Scenarios",
            Self::Errors => "Errors",
            Self::Connections => "Connections",
            Self::Partitions => "Partitions",
            Self::Source => "Scenario file",
            Self::Files => "Files",
        }
    }
}

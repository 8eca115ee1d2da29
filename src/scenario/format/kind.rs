//! Kinds of scenarios, faults and checks: the values of `type` in a file.
//!
//! Defines the macro that connects each kind with its name.

/// Defines an enum of kinds, each with its name in files and reports.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $variant:ident = $tag:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$meta])* $variant,)*
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in files and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $tag,)* }
            }

            /// The kind with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(super) use kinds;

//! Kinds of scenarios, faults and checks: what `type` says in a file.
//!
//! Owns how a kind is tied to its name.

/// An enum of kinds, each with the name that files and reports give it.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $variant:ident = $tag:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$meta])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As files and reports write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $tag,)* }
            }

            /// The kind of this name.
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

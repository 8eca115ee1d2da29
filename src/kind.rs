//! Enums whose values have a name in files and reports, such as the kinds of checks.
//!
//! Defines the macro that connects each value with its name. All modules can use it without an import.

/// Defines an enum, with the name of each value and, after `|`, its name in older versions.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $variant:ident = $tag:literal $(| $old:literal)?,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$meta])* $variant,)*
        }

        impl $name {
            pub const ALL: [Self; [$($tag),*].len()] = [$(Self::$variant),*];

            /// The name in files and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $tag,)* }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($tag $(| $old)? => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

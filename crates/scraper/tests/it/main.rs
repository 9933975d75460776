//! The program from outside: commands, servers that misbehave, and kills.

mod embed;
mod faults;
mod fetch;
mod hub;
mod inspect;
mod model;
mod run;
mod server;
mod shops;
mod support;

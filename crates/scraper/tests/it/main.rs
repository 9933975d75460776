//! The program from outside: commands, servers that misbehave, and kills.

mod catalogues;
mod disk;
mod dotenv;
mod embed;
mod exports;
mod faults;
mod fetch;
mod hosts;
mod hub;
mod inspect;
mod kills;
mod model;
mod nightly;
mod pack;
mod postgres;
mod python;
mod retry;
mod run;
mod server;
mod shop;
mod sources;
mod support;
mod threads;
mod tiny;
mod verify;

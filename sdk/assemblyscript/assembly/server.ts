// A server: a module that handles one message at a time, and of which nothing but memory is there
// between two. Its entry file calls serve and exports the handlers:
//
//   export { wnode_server_1, wnode_init, wnode_handle_call, wnode_handle_cast,
//     wnode_handle_info, wnode_terminate } from "wnode/assembly/server";
//
// asc --exportStart _initialize

import { Message, Reason, current } from "./index";

/** What a server does. A handler returns whether it goes on. */
export class Server {
  /** First. */
  init(): void {}
  /** A call: it is answered with reply, now or later. */
  call(m: Message): bool { return true; }
  cast(m: Message): bool { return true; }
  /** Any other message. */
  info(m: Message): bool { return true; }
  /** Last, unless it is killed. */
  terminate(why: Reason): void {}
}

let server: Server = new Server();

/** Sets who handles messages. */
export function serve(s: Server): void { server = s; }

export function wnode_server_1(): void {}
export function wnode_init(): i32 { server.init(); return 0; }
export function wnode_handle_call(size: u32): i32 { return server.call(current()!) ? 0 : 1; }
export function wnode_handle_cast(size: u32): i32 { return server.cast(current()!) ? 0 : 1; }
export function wnode_handle_info(size: u32): i32 { return server.info(current()!) ? 0 : 1; }
export function wnode_terminate(size: u32): void { server.terminate(current()!.reason!); }

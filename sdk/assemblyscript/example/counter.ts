// counter is a server: it holds a number between messages, and nothing else of it runs until one
// comes. A call "inc N" adds and answers with the sum, "get" answers; a cast "inc N" adds; "stop"
// ends it.
import { Message, reply } from "../assembly/index";
import { Server, serve } from "../assembly/server";

export {
  wnode_server_1, wnode_init, wnode_handle_call, wnode_handle_cast, wnode_handle_info, wnode_terminate,
} from "../assembly/server";

class Counter extends Server {
  count: i64 = 0;

  run(m: Message): bool {
    const words = m.text.split(" ");
    if (words[0] == "inc" && words.length > 1) this.count += I64.parseInt(words[1]);
    return words[0] != "stop";
  }

  call(m: Message): bool {
    const goOn = this.run(m);
    reply(m, String.UTF8.encode(this.count.toString()));
    return goOn;
  }

  cast(m: Message): bool { return this.run(m); }
}

serve(new Counter());

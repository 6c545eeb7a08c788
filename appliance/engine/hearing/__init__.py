"""From a recording to what was said in it, on the worker's side: sound, windows, the rules of timestamps."""

"""Where models come from: hubs, registries, plain web servers, files. Each turns a reference into files to fetch."""

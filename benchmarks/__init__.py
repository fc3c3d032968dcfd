"""The downloader side by side with others, on a local web: `python -m benchmarks --help` lists it all.

=======================================================  ====================================================
rooms                                                    what they keep
=======================================================  ====================================================
links, scenarios                                         URLs with their fates: what is raced on
pictures, web, web.lua, plain_web, dead_ends             the web that answers them, on loopback
equipment, contestants, user_files                       who races, and how each is told what to fetch
measuring, judging                                       what a run costs; its images against the truth
results, goals, tables, bars, machine                    numbers made readable
errors, workshop                                         what all measurements need, and its clearing away
race, memory, batch_sizes, scaling, first_image          the measurements, a command each
networks, cluster                                        more of them
=======================================================  ====================================================

Linux only: hosts are addresses of 127.0.0.0/8, and memory and time are read from /proc.
"""

"""The house behind the two scripts, floor by floor; imports point down only.

=======  =======================================================  ===============================
floor    modules                                                  what lives there
=======  =======================================================  ===============================
5        cli                                                      the terminal
4        prerequisites, pipeline                                  a whole run
3        plan, pool -> worker                                     the machinery
2        categories, url_table, voc, images, fetch, web_file,     one outside thing each; they
         speed, hosts -> schedule, journal -> report              don't know each other
1        errors, storage                                          what everybody stands on
0        models                                                   the nouns
=======  =======================================================  ===============================

`tests/test_architecture.py` keeps these floors.
"""

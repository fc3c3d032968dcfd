"""The house behind the two scripts, floor by floor. Imports point strictly down, to lower numbers.

=====  ======================  ===============================================================
floor  rooms                   what they keep
=====  ======================  ===============================================================
8      commands                the two scripts as the user sees them
7      cluster                 the same run on many machines
6      run                     a whole run: what each category offers, the workers, the books
5      archive, prerequisites  images from tars of whole categories; the three files, once
5      gallery                 what a run leaves to be looked at: the page, the dataset card
4      downloads               a few big files: resumed, checked
4      exports                 the result folder as training tools read it
3      web                     thousands of small ones: politely, quickly, each with its reason
3      results                 what lies in the result folder, and what is said of it
2      tables                  what users bring: categories and URLs
2      annotations             bounding boxes: archives, XML, geometry
2      judging                 which bytes are an image
1      storage                 where things lie on disk, and how they get there whole
0      models                  the nouns: what travels between modules
0      machine                 how much of this machine a process may have
0      errors, door, wording   what stops a run; the way into a script; numbers and lists in words
=====  ======================  ===============================================================

Each package's docstring names its rooms. `tests/test_architecture.py` reads all of this and keeps it true.
"""

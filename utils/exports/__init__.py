"""What stands in the result folder, as training tools read it: split, converted, written whole.

::

    exporting     an export from its beginning to its name: whole, or not at all
    remarks       what is to be known of an export
    contents      tables of what was exported
    formats       the table of formats
    yolo          Ultralytics' folders and labels
    coco          COCO's JSON
    voc           Pascal VOC's devkit
    imagefolder   a folder a class, with metadata as Hugging Face reads them
    webdataset    tar shards
    gathering     what is exported: images, sides, labels
    split         which images are for training, which for validation
    near          groups of hashes that are near each other
    fingerprints  what images look like, remembered
    placing       images under the names that an export needs
    pictures      what is asked of Pillow
    dataset       the nouns

Each module imports only from those below it here, and from packages on lower floors.
"""

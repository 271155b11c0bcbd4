// Generated from openapi.yaml by scripts/gen.mjs. Do not edit.
import type { OpenApiDocument } from "../document.ts";

const document = {
  "openapi": "3.0.3",
  "info": {
    "title": "Castellan API",
    "version": "0.1.0",
    "description": "Sandboxes for code that nobody has reviewed. Speaks the E2B wire protocol and adds live\nmetadata: `PATCH /sandboxes/{sandboxID}/metadata` edits the tags of a running sandbox.\n\nEvery error body is `{\"code\": <the HTTP status as a number>, \"message\": \"…\"}`. Besides the answers of each operation\nany request may get 404 (no such path), 405 (another method), 408 (too slow), 417 (an expectation other than\n`100-continue`) or 431 (headers or path too long).\n",
    "license": {
      "name": "Apache-2.0",
      "url": "https://www.apache.org/licenses/LICENSE-2.0"
    }
  },
  "servers": [
    {
      "url": "http://127.0.0.1:3000",
      "description": "The origin that `npm start` prints."
    }
  ],
  "security": [
    {
      "ApiKey": []
    }
  ],
  "tags": [
    {
      "name": "sandboxes",
      "description": "Create, find, extend and end sandboxes."
    },
    {
      "name": "metadata",
      "description": "Tags of a sandbox, editable while it runs."
    },
    {
      "name": "events",
      "description": "What happened to a team's sandboxes, to read, to follow, and to be told of."
    },
    {
      "name": "service",
      "description": "The service itself."
    }
  ],
  "paths": {
    "/health": {
      "get": {
        "operationId": "getHealth",
        "summary": "Health of the service and the durability mode in force",
        "tags": [
          "service"
        ],
        "security": [],
        "responses": {
          "200": {
            "description": "The store answers.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "status",
                    "version",
                    "store"
                  ],
                  "properties": {
                    "status": {
                      "type": "string",
                      "enum": [
                        "ok"
                      ]
                    },
                    "version": {
                      "type": "string"
                    },
                    "store": {
                      "type": "object",
                      "required": [
                        "kind",
                        "durability"
                      ],
                      "properties": {
                        "kind": {
                          "type": "string",
                          "enum": [
                            "sqlite",
                            "redis"
                          ]
                        },
                        "durability": {
                          "type": "string",
                          "description": "What an acknowledged write survives, in words."
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/nodes": {
      "get": {
        "operationId": "listNodes",
        "summary": "Nodes with a lease, and what each can do",
        "tags": [
          "service"
        ],
        "responses": {
          "200": {
            "description": "The nodes, by id.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "nodeID",
                      "bootID",
                      "status",
                      "address",
                      "version",
                      "isolation",
                      "sandboxes",
                      "capacity",
                      "leaseExpiresAt",
                      "capabilities"
                    ],
                    "properties": {
                      "nodeID": {
                        "type": "string"
                      },
                      "bootID": {
                        "type": "string",
                        "description": "New whenever the node's process starts."
                      },
                      "status": {
                        "type": "string",
                        "enum": [
                          "ready",
                          "lost"
                        ]
                      },
                      "address": {
                        "type": "string"
                      },
                      "version": {
                        "type": "string"
                      },
                      "isolation": {
                        "type": "string",
                        "description": "What sandboxes get that ask for none."
                      },
                      "isolations": {
                        "type": "array",
                        "description": "What sandboxes may ask for.",
                        "items": {
                          "type": "string",
                          "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                          "enum": [
                            "runc",
                            "gvisor"
                          ]
                        }
                      },
                      "sandboxes": {
                        "type": "integer"
                      },
                      "capacity": {
                        "type": "object",
                        "required": [
                          "sandboxes",
                          "cpuCount",
                          "memoryBytes"
                        ],
                        "properties": {
                          "sandboxes": {
                            "type": "integer"
                          },
                          "cpuCount": {
                            "type": "integer"
                          },
                          "memoryBytes": {
                            "type": "integer",
                            "format": "int64"
                          },
                          "sandboxMemoryBytes": {
                            "type": "integer",
                            "format": "int64",
                            "description": "What its sandboxes' memory limits may add up to; absent or 0 where the node does not say."
                          }
                        }
                      },
                      "leaseExpiresAt": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "capabilities": {
                        "type": "object",
                        "required": [
                          "pauseWithMemory"
                        ],
                        "properties": {
                          "pauseWithMemory": {
                            "type": "boolean"
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes": {
      "get": {
        "operationId": "listRunningSandboxes",
        "summary": "Running sandboxes, in one answer",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "metadata",
            "in": "query",
            "description": "Tags that all must be there, as `key=value&key=value` with keys and values URL-encoded,\nand the whole URL-encoded once more.\n",
            "schema": {
              "type": "string",
              "maxLength": 16384
            }
          }
        ],
        "responses": {
          "200": {
            "description": "Running sandboxes, newest first.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "templateID",
                      "sandboxID",
                      "clientID",
                      "startedAt",
                      "cpuCount",
                      "memoryMB",
                      "diskSizeMB",
                      "endAt",
                      "state",
                      "envdVersion"
                    ],
                    "properties": {
                      "templateID": {
                        "type": "string"
                      },
                      "alias": {
                        "type": "string"
                      },
                      "sandboxID": {
                        "type": "string"
                      },
                      "clientID": {
                        "type": "string"
                      },
                      "startedAt": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "endAt": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "cpuCount": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "memoryMB": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "diskSizeMB": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "metadata": {
                        "type": "object",
                        "additionalProperties": {
                          "type": "string"
                        }
                      },
                      "state": {
                        "type": "string",
                        "enum": [
                          "running",
                          "paused"
                        ]
                      },
                      "isolation": {
                        "type": "string",
                        "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                        "enum": [
                          "runc",
                          "gvisor"
                        ]
                      },
                      "envdVersion": {
                        "type": "string"
                      },
                      "volumeMounts": {
                        "type": "array",
                        "items": {
                          "type": "object",
                          "required": [
                            "name",
                            "path"
                          ],
                          "properties": {
                            "name": {
                              "type": "string"
                            },
                            "path": {
                              "type": "string"
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "post": {
        "operationId": "createSandbox",
        "summary": "Create a sandbox",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "required": [
                  "templateID"
                ],
                "properties": {
                  "templateID": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 128
                  },
                  "timeout": {
                    "type": "integer",
                    "format": "int32",
                    "default": 15,
                    "description": "Seconds to live."
                  },
                  "autoPause": {
                    "type": "boolean",
                    "default": false,
                    "description": "Pause at the end time instead of ending."
                  },
                  "autoPauseMemory": {
                    "type": "boolean",
                    "default": true
                  },
                  "autoResume": {
                    "type": "object",
                    "required": [
                      "enabled"
                    ],
                    "properties": {
                      "enabled": {
                        "type": "boolean"
                      }
                    }
                  },
                  "secure": {
                    "type": "boolean",
                    "default": false,
                    "description": "Require an access token for commands and files."
                  },
                  "allow_internet_access": {
                    "type": "boolean"
                  },
                  "isolation": {
                    "type": "string",
                    "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                    "enum": [
                      "runc",
                      "gvisor"
                    ]
                  },
                  "network": {
                    "type": "object",
                    "properties": {
                      "allowPublicTraffic": {
                        "type": "boolean",
                        "default": true,
                        "description": "Whether the sandbox's ports answer without a traffic token."
                      },
                      "allowOut": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "string",
                          "maxLength": 253
                        },
                        "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                      },
                      "denyOut": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "string",
                          "maxLength": 253
                        },
                        "description": "Addresses or CIDR blocks that it may not reach."
                      },
                      "maskRequestHost": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "httpsPorts": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "integer",
                          "minimum": 1,
                          "maximum": 65535
                        },
                        "description": "Ports whose servers inside speak HTTPS."
                      },
                      "egressProxy": {
                        "type": "object",
                        "nullable": true,
                        "additionalProperties": true,
                        "description": "Not supported yet; anything but `null` is a 400."
                      },
                      "rules": {
                        "type": "object",
                        "additionalProperties": true,
                        "description": "Not supported yet; anything but an empty object is a 400."
                      }
                    }
                  },
                  "metadata": {
                    "type": "object",
                    "additionalProperties": {
                      "type": "string"
                    }
                  },
                  "envVars": {
                    "type": "object",
                    "additionalProperties": {
                      "type": "string"
                    }
                  },
                  "mcp": {
                    "type": "object",
                    "nullable": true,
                    "additionalProperties": true
                  },
                  "iam": {
                    "type": "object",
                    "additionalProperties": true
                  },
                  "volumeMounts": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": [
                        "name",
                        "path"
                      ],
                      "properties": {
                        "name": {
                          "type": "string"
                        },
                        "path": {
                          "type": "string"
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        },
        "responses": {
          "201": {
            "description": "Running, and ready for commands.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "templateID",
                    "sandboxID",
                    "clientID",
                    "envdVersion"
                  ],
                  "properties": {
                    "templateID": {
                      "type": "string"
                    },
                    "sandboxID": {
                      "type": "string"
                    },
                    "alias": {
                      "type": "string"
                    },
                    "clientID": {
                      "type": "string"
                    },
                    "envdVersion": {
                      "type": "string"
                    },
                    "envdAccessToken": {
                      "type": "string",
                      "description": "For `X-Access-Token`; only for a secure sandbox."
                    },
                    "trafficAccessToken": {
                      "type": "string",
                      "nullable": true,
                      "description": "For `e2b-traffic-access-token`; only without public traffic."
                    },
                    "domain": {
                      "type": "string",
                      "nullable": true,
                      "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "403": {
            "description": "The API key may not do this.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/v2/sandboxes": {
      "get": {
        "operationId": "listSandboxes",
        "summary": "Sandboxes, a page at a time",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "metadata",
            "in": "query",
            "description": "Tags that all must be there, as `key=value&key=value` with keys and values URL-encoded,\nand the whole URL-encoded once more.\n",
            "schema": {
              "type": "string",
              "maxLength": 16384
            }
          },
          {
            "name": "state",
            "in": "query",
            "description": "States to include; all when absent.",
            "style": "form",
            "explode": false,
            "schema": {
              "type": "array",
              "maxItems": 2,
              "items": {
                "type": "string",
                "enum": [
                  "running",
                  "paused"
                ]
              }
            }
          },
          {
            "name": "order",
            "in": "query",
            "description": "By start time.",
            "schema": {
              "type": "string",
              "enum": [
                "asc",
                "desc"
              ],
              "default": "desc"
            }
          },
          {
            "name": "startedAfter",
            "in": "query",
            "description": "Only sandboxes started at or after this time.",
            "schema": {
              "type": "string",
              "format": "date-time"
            }
          },
          {
            "name": "template",
            "in": "query",
            "description": "A template's id or alias.",
            "schema": {
              "type": "string",
              "minLength": 1,
              "maxLength": 128
            }
          },
          {
            "name": "nextToken",
            "in": "query",
            "description": "The `X-Next-Token` of the page before.",
            "schema": {
              "type": "string",
              "maxLength": 512
            }
          },
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 100,
              "default": 100
            }
          }
        ],
        "responses": {
          "200": {
            "description": "A page, newest first unless `order` says otherwise.",
            "headers": {
              "X-Next-Token": {
                "description": "Cursor of the next page; absent on the last one.",
                "schema": {
                  "type": "string"
                }
              },
              "X-Total-Running": {
                "description": "Running sandboxes that match the filter.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "templateID",
                      "sandboxID",
                      "clientID",
                      "startedAt",
                      "cpuCount",
                      "memoryMB",
                      "diskSizeMB",
                      "endAt",
                      "state",
                      "envdVersion"
                    ],
                    "properties": {
                      "templateID": {
                        "type": "string"
                      },
                      "alias": {
                        "type": "string"
                      },
                      "sandboxID": {
                        "type": "string"
                      },
                      "clientID": {
                        "type": "string"
                      },
                      "startedAt": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "endAt": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "cpuCount": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "memoryMB": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "diskSizeMB": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "metadata": {
                        "type": "object",
                        "additionalProperties": {
                          "type": "string"
                        }
                      },
                      "state": {
                        "type": "string",
                        "enum": [
                          "running",
                          "paused"
                        ]
                      },
                      "isolation": {
                        "type": "string",
                        "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                        "enum": [
                          "runc",
                          "gvisor"
                        ]
                      },
                      "envdVersion": {
                        "type": "string"
                      },
                      "volumeMounts": {
                        "type": "array",
                        "items": {
                          "type": "object",
                          "required": [
                            "name",
                            "path"
                          ],
                          "properties": {
                            "name": {
                              "type": "string"
                            },
                            "path": {
                              "type": "string"
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "post": {
        "operationId": "createSandboxV2",
        "summary": "Create a sandbox, always secure",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "description": "As `NewSandbox`, and always secure.",
                "required": [
                  "templateID"
                ],
                "properties": {
                  "templateID": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 128
                  },
                  "timeout": {
                    "type": "integer",
                    "format": "int32",
                    "default": 300,
                    "description": "Seconds to live."
                  },
                  "autoPause": {
                    "type": "boolean",
                    "default": false,
                    "description": "Pause at the end time instead of ending."
                  },
                  "autoPauseMemory": {
                    "type": "boolean",
                    "default": true
                  },
                  "autoResume": {
                    "type": "object",
                    "required": [
                      "enabled"
                    ],
                    "properties": {
                      "enabled": {
                        "type": "boolean"
                      }
                    }
                  },
                  "allow_internet_access": {
                    "type": "boolean"
                  },
                  "isolation": {
                    "type": "string",
                    "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                    "enum": [
                      "runc",
                      "gvisor"
                    ]
                  },
                  "network": {
                    "type": "object",
                    "properties": {
                      "allowPublicTraffic": {
                        "type": "boolean",
                        "default": true,
                        "description": "Whether the sandbox's ports answer without a traffic token."
                      },
                      "allowOut": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "string",
                          "maxLength": 253
                        },
                        "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                      },
                      "denyOut": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "string",
                          "maxLength": 253
                        },
                        "description": "Addresses or CIDR blocks that it may not reach."
                      },
                      "maskRequestHost": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "httpsPorts": {
                        "type": "array",
                        "maxItems": 256,
                        "items": {
                          "type": "integer",
                          "minimum": 1,
                          "maximum": 65535
                        },
                        "description": "Ports whose servers inside speak HTTPS."
                      },
                      "egressProxy": {
                        "type": "object",
                        "nullable": true,
                        "additionalProperties": true,
                        "description": "Not supported yet; anything but `null` is a 400."
                      },
                      "rules": {
                        "type": "object",
                        "additionalProperties": true,
                        "description": "Not supported yet; anything but an empty object is a 400."
                      }
                    }
                  },
                  "metadata": {
                    "type": "object",
                    "additionalProperties": {
                      "type": "string"
                    }
                  },
                  "envVars": {
                    "type": "object",
                    "additionalProperties": {
                      "type": "string"
                    }
                  },
                  "mcp": {
                    "type": "object",
                    "nullable": true,
                    "additionalProperties": true
                  },
                  "iam": {
                    "type": "object",
                    "additionalProperties": true
                  },
                  "volumeMounts": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": [
                        "name",
                        "path"
                      ],
                      "properties": {
                        "name": {
                          "type": "string"
                        },
                        "path": {
                          "type": "string"
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        },
        "responses": {
          "201": {
            "description": "Running, and ready for commands.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "templateID",
                    "sandboxID",
                    "clientID",
                    "envdVersion"
                  ],
                  "properties": {
                    "templateID": {
                      "type": "string"
                    },
                    "sandboxID": {
                      "type": "string"
                    },
                    "alias": {
                      "type": "string"
                    },
                    "clientID": {
                      "type": "string"
                    },
                    "envdVersion": {
                      "type": "string"
                    },
                    "envdAccessToken": {
                      "type": "string",
                      "description": "For `X-Access-Token`; only for a secure sandbox."
                    },
                    "trafficAccessToken": {
                      "type": "string",
                      "nullable": true,
                      "description": "For `e2b-traffic-access-token`; only without public traffic."
                    },
                    "domain": {
                      "type": "string",
                      "nullable": true,
                      "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "403": {
            "description": "The API key may not do this.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/metrics": {
      "get": {
        "operationId": "listSandboxMetrics",
        "summary": "The newest measurement of each of several sandboxes",
        "description": "A sandbox that does not run, is another team's, has not been measured yet, or whose node does not answer is left\nout of the answer.\n",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "sandbox_ids",
            "in": "query",
            "required": true,
            "description": "Ids, joined with commas.",
            "style": "form",
            "explode": false,
            "schema": {
              "type": "array",
              "minItems": 1,
              "maxItems": 100,
              "uniqueItems": true,
              "items": {
                "type": "string",
                "minLength": 1,
                "maxLength": 128
              }
            }
          }
        ],
        "responses": {
          "200": {
            "description": "The measurements by sandbox id.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "sandboxes"
                  ],
                  "properties": {
                    "sandboxes": {
                      "type": "object",
                      "additionalProperties": {
                        "type": "object",
                        "required": [
                          "timestamp",
                          "timestampUnix",
                          "cpuCount",
                          "cpuUsedPct",
                          "memUsed",
                          "memTotal",
                          "memCache",
                          "diskUsed",
                          "diskTotal"
                        ],
                        "properties": {
                          "timestamp": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "timestampUnix": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Seconds since 1970."
                          },
                          "cpuCount": {
                            "type": "integer",
                            "format": "int32"
                          },
                          "cpuUsedPct": {
                            "type": "number",
                            "format": "float",
                            "description": "Share of all its processors that it used since the measurement before, 0 to 100."
                          },
                          "memUsed": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Bytes without those of `memCache`."
                          },
                          "memTotal": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Bytes that it may use."
                          },
                          "memCache": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Bytes of files in memory that it would do without."
                          },
                          "diskUsed": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Bytes of the sandbox's own file system."
                          },
                          "diskTotal": {
                            "type": "integer",
                            "format": "int64"
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandbox",
        "summary": "One sandbox",
        "tags": [
          "sandboxes"
        ],
        "responses": {
          "200": {
            "description": "The sandbox.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "templateID",
                    "sandboxID",
                    "clientID",
                    "startedAt",
                    "cpuCount",
                    "memoryMB",
                    "diskSizeMB",
                    "endAt",
                    "state",
                    "envdVersion"
                  ],
                  "properties": {
                    "templateID": {
                      "type": "string"
                    },
                    "alias": {
                      "type": "string"
                    },
                    "sandboxID": {
                      "type": "string"
                    },
                    "clientID": {
                      "type": "string"
                    },
                    "startedAt": {
                      "type": "string",
                      "format": "date-time"
                    },
                    "endAt": {
                      "type": "string",
                      "format": "date-time"
                    },
                    "cpuCount": {
                      "type": "integer",
                      "format": "int32"
                    },
                    "memoryMB": {
                      "type": "integer",
                      "format": "int32"
                    },
                    "diskSizeMB": {
                      "type": "integer",
                      "format": "int32"
                    },
                    "metadata": {
                      "type": "object",
                      "additionalProperties": {
                        "type": "string"
                      }
                    },
                    "state": {
                      "type": "string",
                      "enum": [
                        "running",
                        "paused"
                      ]
                    },
                    "isolation": {
                      "type": "string",
                      "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                      "enum": [
                        "runc",
                        "gvisor"
                      ]
                    },
                    "envdVersion": {
                      "type": "string"
                    },
                    "envdAccessToken": {
                      "type": "string"
                    },
                    "allowInternetAccess": {
                      "type": "boolean",
                      "nullable": true
                    },
                    "domain": {
                      "type": "string",
                      "nullable": true
                    },
                    "network": {
                      "type": "object",
                      "properties": {
                        "allowPublicTraffic": {
                          "type": "boolean",
                          "default": true,
                          "description": "Whether the sandbox's ports answer without a traffic token."
                        },
                        "allowOut": {
                          "type": "array",
                          "maxItems": 256,
                          "items": {
                            "type": "string",
                            "maxLength": 253
                          },
                          "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                        },
                        "denyOut": {
                          "type": "array",
                          "maxItems": 256,
                          "items": {
                            "type": "string",
                            "maxLength": 253
                          },
                          "description": "Addresses or CIDR blocks that it may not reach."
                        },
                        "maskRequestHost": {
                          "type": "string",
                          "maxLength": 253
                        },
                        "httpsPorts": {
                          "type": "array",
                          "maxItems": 256,
                          "items": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": 65535
                          },
                          "description": "Ports whose servers inside speak HTTPS."
                        },
                        "egressProxy": {
                          "type": "object",
                          "nullable": true,
                          "additionalProperties": true,
                          "description": "Not supported yet; anything but `null` is a 400."
                        },
                        "rules": {
                          "type": "object",
                          "additionalProperties": true,
                          "description": "Not supported yet; anything but an empty object is a 400."
                        }
                      }
                    },
                    "lifecycle": {
                      "type": "object",
                      "required": [
                        "autoResume",
                        "onTimeout"
                      ],
                      "properties": {
                        "autoResume": {
                          "type": "boolean"
                        },
                        "onTimeout": {
                          "type": "string",
                          "enum": [
                            "kill",
                            "pause"
                          ]
                        }
                      }
                    },
                    "volumeMounts": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "required": [
                          "name",
                          "path"
                        ],
                        "properties": {
                          "name": {
                            "type": "string"
                          },
                          "path": {
                            "type": "string"
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "delete": {
        "operationId": "killSandbox",
        "summary": "End a sandbox",
        "tags": [
          "sandboxes"
        ],
        "responses": {
          "204": {
            "description": "It is gone."
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/metrics": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandboxMetrics",
        "summary": "What the sandbox used over time",
        "description": "Measured every 5 s by the node, the first time about a second after the start. The last 45 minutes are there as\nthey were measured; before that the largest values of at most 720 intervals, so that all of the sandbox's life is\nthere. A restart of the node's process begins anew. Empty for a paused sandbox.\n",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "start",
            "in": "query",
            "description": "Unix time in seconds; nothing older.",
            "schema": {
              "type": "integer",
              "format": "int64",
              "minimum": 0,
              "maximum": 9007199254740
            }
          },
          {
            "name": "end",
            "in": "query",
            "description": "Unix time in seconds; nothing newer.",
            "schema": {
              "type": "integer",
              "format": "int64",
              "minimum": 0,
              "maximum": 9007199254740
            }
          }
        ],
        "responses": {
          "200": {
            "description": "The measurements, oldest first.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "timestamp",
                      "timestampUnix",
                      "cpuCount",
                      "cpuUsedPct",
                      "memUsed",
                      "memTotal",
                      "memCache",
                      "diskUsed",
                      "diskTotal"
                    ],
                    "properties": {
                      "timestamp": {
                        "type": "string",
                        "format": "date-time"
                      },
                      "timestampUnix": {
                        "type": "integer",
                        "format": "int64",
                        "description": "Seconds since 1970."
                      },
                      "cpuCount": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "cpuUsedPct": {
                        "type": "number",
                        "format": "float",
                        "description": "Share of all its processors that it used since the measurement before, 0 to 100."
                      },
                      "memUsed": {
                        "type": "integer",
                        "format": "int64",
                        "description": "Bytes without those of `memCache`."
                      },
                      "memTotal": {
                        "type": "integer",
                        "format": "int64",
                        "description": "Bytes that it may use."
                      },
                      "memCache": {
                        "type": "integer",
                        "format": "int64",
                        "description": "Bytes of files in memory that it would do without."
                      },
                      "diskUsed": {
                        "type": "integer",
                        "format": "int64",
                        "description": "Bytes of the sandbox's own file system."
                      },
                      "diskTotal": {
                        "type": "integer",
                        "format": "int64"
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/logs": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandboxLogs",
        "summary": "What its node and its daemon say about the sandbox, oldest first",
        "description": "Starts, ends and processes with their ids and results; never command lines, variables or tokens. At least the\nlast 256 KiB of each sandbox, and for 24 hours after its end as long as its node has kept it.\n",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "start",
            "in": "query",
            "description": "Unix time in milliseconds; nothing older.",
            "schema": {
              "type": "integer",
              "format": "int64",
              "minimum": 0,
              "maximum": 9007199254740991
            }
          },
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 10000,
              "default": 1000
            }
          }
        ],
        "responses": {
          "200": {
            "description": "The same lines twice, as text and in parts.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "logs",
                    "logEntries"
                  ],
                  "properties": {
                    "logs": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "required": [
                          "timestamp",
                          "line"
                        ],
                        "properties": {
                          "timestamp": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "line": {
                            "type": "string",
                            "description": "A JSON object with at least `level`, `logger` and `message`."
                          }
                        }
                      }
                    },
                    "logEntries": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "required": [
                          "timestamp",
                          "level",
                          "message",
                          "fields"
                        ],
                        "properties": {
                          "timestamp": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "level": {
                            "type": "string",
                            "enum": [
                              "debug",
                              "info",
                              "warn",
                              "error"
                            ]
                          },
                          "message": {
                            "type": "string"
                          },
                          "fields": {
                            "type": "object",
                            "additionalProperties": {
                              "type": "string"
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/v2/sandboxes/{sandboxID}/logs": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandboxLogsV2",
        "summary": "What its node and its daemon say about the sandbox, a page at a time",
        "tags": [
          "sandboxes"
        ],
        "parameters": [
          {
            "name": "cursor",
            "in": "query",
            "description": "Unix time in milliseconds at which the page begins. Absent, the end from which it is read.",
            "schema": {
              "type": "integer",
              "format": "int64",
              "minimum": 0,
              "maximum": 9007199254740991
            }
          },
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 1000,
              "default": 1000
            }
          },
          {
            "name": "direction",
            "in": "query",
            "description": "Oldest first, or newest first.",
            "schema": {
              "type": "string",
              "enum": [
                "forward",
                "backward"
              ],
              "default": "backward"
            }
          },
          {
            "name": "level",
            "in": "query",
            "description": "Lines below this level are left out.",
            "schema": {
              "type": "string",
              "enum": [
                "debug",
                "info",
                "warn",
                "error"
              ]
            }
          },
          {
            "name": "search",
            "in": "query",
            "description": "A part of the message, its case included.",
            "schema": {
              "type": "string",
              "maxLength": 256
            }
          }
        ],
        "responses": {
          "200": {
            "description": "The lines.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "logs"
                  ],
                  "properties": {
                    "logs": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "required": [
                          "timestamp",
                          "level",
                          "message",
                          "fields"
                        ],
                        "properties": {
                          "timestamp": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "level": {
                            "type": "string",
                            "enum": [
                              "debug",
                              "info",
                              "warn",
                              "error"
                            ]
                          },
                          "message": {
                            "type": "string"
                          },
                          "fields": {
                            "type": "object",
                            "additionalProperties": {
                              "type": "string"
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/timeout": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "post": {
        "operationId": "setSandboxTimeout",
        "summary": "Set how long the sandbox lives from now, longer or shorter",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "required": [
                  "timeout"
                ],
                "properties": {
                  "timeout": {
                    "type": "integer",
                    "format": "int32",
                    "minimum": 0,
                    "description": "Seconds from now."
                  }
                }
              }
            }
          }
        },
        "responses": {
          "204": {
            "description": "Set."
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/network": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "put": {
        "operationId": "updateSandboxNetwork",
        "summary": "Replace what a running sandbox may reach",
        "description": "Replaces all of it: what the request leaves out is cleared. Connections that the new rules forbid are cut.",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "allowOut": {
                    "type": "array",
                    "maxItems": 256,
                    "items": {
                      "type": "string",
                      "maxLength": 253
                    },
                    "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                  },
                  "denyOut": {
                    "type": "array",
                    "maxItems": 256,
                    "items": {
                      "type": "string",
                      "maxLength": 253
                    },
                    "description": "Addresses or CIDR blocks that it may not reach."
                  },
                  "allow_internet_access": {
                    "type": "boolean",
                    "description": "`false` is the same as `0.0.0.0/0` in `denyOut`."
                  },
                  "egressProxy": {
                    "type": "object",
                    "nullable": true,
                    "additionalProperties": true,
                    "description": "Not supported yet; anything but `null` is a 400."
                  },
                  "rules": {
                    "type": "object",
                    "additionalProperties": true,
                    "description": "Not supported yet; anything but an empty object is a 400."
                  }
                }
              }
            }
          }
        },
        "responses": {
          "202": {
            "description": "Committed, but the sandbox's node has not confirmed it yet and may still go by the rules from before; it is told until it does.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "revision",
                    "appliedRevision"
                  ],
                  "properties": {
                    "revision": {
                      "type": "integer",
                      "format": "int64"
                    },
                    "appliedRevision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "What the sandbox's node is known to go by."
                    }
                  }
                }
              }
            }
          },
          "204": {
            "description": "In force on the sandbox's node."
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/refreshes": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "post": {
        "operationId": "refreshSandbox",
        "summary": "Extend the sandbox's life; never shortens it",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "duration": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 3600,
                    "description": "Seconds from now; 15 when absent."
                  }
                }
              }
            }
          }
        },
        "responses": {
          "204": {
            "description": "Extended or already longer."
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/connect": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "post": {
        "operationId": "connectSandbox",
        "summary": "What a client needs to talk to a sandbox; extends its life",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "required": [
                  "timeout"
                ],
                "properties": {
                  "timeout": {
                    "type": "integer",
                    "format": "int32",
                    "minimum": 0,
                    "description": "Seconds from now."
                  },
                  "memory": {
                    "type": "boolean",
                    "default": true
                  }
                }
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "It was running.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "templateID",
                    "sandboxID",
                    "clientID",
                    "envdVersion"
                  ],
                  "properties": {
                    "templateID": {
                      "type": "string"
                    },
                    "sandboxID": {
                      "type": "string"
                    },
                    "alias": {
                      "type": "string"
                    },
                    "clientID": {
                      "type": "string"
                    },
                    "envdVersion": {
                      "type": "string"
                    },
                    "envdAccessToken": {
                      "type": "string",
                      "description": "For `X-Access-Token`; only for a secure sandbox."
                    },
                    "trafficAccessToken": {
                      "type": "string",
                      "nullable": true,
                      "description": "For `e2b-traffic-access-token`; only without public traffic."
                    },
                    "domain": {
                      "type": "string",
                      "nullable": true,
                      "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/v2/sandboxes/{sandboxID}/connect": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "post": {
        "operationId": "connectSandboxV2",
        "summary": "What a client needs to talk to a sandbox; extends its life",
        "tags": [
          "sandboxes"
        ],
        "requestBody": {
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "timeout": {
                    "type": "integer",
                    "format": "int32",
                    "minimum": 0,
                    "default": 300,
                    "description": "Seconds from now."
                  },
                  "memory": {
                    "type": "boolean",
                    "default": true
                  }
                }
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "It was running.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "templateID",
                    "sandboxID",
                    "clientID",
                    "envdVersion"
                  ],
                  "properties": {
                    "templateID": {
                      "type": "string"
                    },
                    "sandboxID": {
                      "type": "string"
                    },
                    "alias": {
                      "type": "string"
                    },
                    "clientID": {
                      "type": "string"
                    },
                    "envdVersion": {
                      "type": "string"
                    },
                    "envdAccessToken": {
                      "type": "string",
                      "description": "For `X-Access-Token`; only for a secure sandbox."
                    },
                    "trafficAccessToken": {
                      "type": "string",
                      "nullable": true,
                      "description": "For `e2b-traffic-access-token`; only without public traffic."
                    },
                    "domain": {
                      "type": "string",
                      "nullable": true,
                      "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/metadata": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandboxMetadata",
        "summary": "The sandbox's metadata and its revision",
        "tags": [
          "metadata"
        ],
        "responses": {
          "200": {
            "description": "Store and node agree on this state, or the sandbox is not running.",
            "headers": {
              "ETag": {
                "description": "The metadata's revision in quotes.",
                "schema": {
                  "type": "string"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "metadata",
                    "revision",
                    "appliedRevision"
                  ],
                  "properties": {
                    "metadata": {
                      "type": "object",
                      "additionalProperties": {
                        "type": "string"
                      }
                    },
                    "revision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "Grows with every effective edit."
                    },
                    "appliedRevision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "What the sandbox's node last confirmed."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "patch": {
        "operationId": "patchSandboxMetadata",
        "summary": "Edit the sandbox's metadata while it runs",
        "description": "Each member of the body edits one key: a string sets it, `null` **or `\"\"`** removes it, and\nkeys that the body does not name stay as they are. (RFC 7396 would keep `\"\"`; this\noperation removes it.) An edit without effect keeps the revision.\n\nLimits after the merge: 256 keys, 64 KiB in all, keys of 1 to 256 bytes, values of up to\n4 KiB, in UTF-8 without lone surrogates.\n\n**200**: the edit is committed and the sandbox's node has confirmed it. **202**: it is\ncommitted, but the node has not confirmed it within 2 s; it will be pushed until it does.\n",
        "tags": [
          "metadata"
        ],
        "parameters": [
          {
            "name": "If-Match",
            "in": "header",
            "description": "Edit only if the revision is this one, as `\"<revision>\"`; `*` for any.",
            "schema": {
              "type": "string",
              "maxLength": 64
            }
          },
          {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A name of the caller's own for this edit, 1 to 255 printable ASCII characters. The same edit under the same\nkey takes effect once: later answers have the metadata and the revision of the first. Another edit under it\nis refused with 422. Keys are known for 24 h, per sandbox; of each sandbox the newest 10,000. The metadata\nof the first answer is kept for the newest MiB of them; after that a replay answers with what is stored now.\n",
            "schema": {
              "type": "string",
              "minLength": 1,
              "maxLength": 255
            }
          }
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "description": "A string sets the key; `null` or `\"\"` removes it.",
                "additionalProperties": {
                  "type": "string",
                  "nullable": true
                }
              }
            },
            "application/merge-patch+json": {
              "schema": {
                "type": "object",
                "description": "A string sets the key; `null` or `\"\"` removes it.",
                "additionalProperties": {
                  "type": "string",
                  "nullable": true
                }
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "Store and node agree on this state, or the sandbox is not running.",
            "headers": {
              "ETag": {
                "description": "The metadata's revision in quotes.",
                "schema": {
                  "type": "string"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "metadata",
                    "revision",
                    "appliedRevision"
                  ],
                  "properties": {
                    "metadata": {
                      "type": "object",
                      "additionalProperties": {
                        "type": "string"
                      }
                    },
                    "revision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "Grows with every effective edit."
                    },
                    "appliedRevision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "What the sandbox's node last confirmed."
                    }
                  }
                }
              }
            }
          },
          "202": {
            "description": "Committed; not yet confirmed by the node.",
            "headers": {
              "ETag": {
                "description": "The metadata's revision in quotes.",
                "schema": {
                  "type": "string"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "metadata",
                    "revision",
                    "appliedRevision"
                  ],
                  "properties": {
                    "metadata": {
                      "type": "object",
                      "additionalProperties": {
                        "type": "string"
                      }
                    },
                    "revision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "Grows with every effective edit."
                    },
                    "appliedRevision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "What the sandbox's node last confirmed."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "409": {
            "description": "The sandbox's state does not allow it.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "412": {
            "description": "The revision differs from `If-Match`; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "422": {
            "description": "The `Idempotency-Key` was used for another edit of this sandbox; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/sandboxes/{sandboxID}/metadata/history": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "getSandboxMetadataHistory",
        "summary": "How the sandbox's metadata became what it is",
        "description": "The effective changes, newest first, the first of all being what the sandbox was created with. The last 1,000 are\nkept, or the last MiB, whichever is less; `oldestRevision` says how far back that goes. The next page begins\n`before` the last revision of this one.\n",
        "tags": [
          "metadata"
        ],
        "parameters": [
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 1000,
              "default": 100
            }
          },
          {
            "name": "before",
            "in": "query",
            "description": "Only changes with a lower revision.",
            "schema": {
              "type": "integer",
              "format": "int64",
              "minimum": 1,
              "maximum": 9007199254740991
            }
          }
        ],
        "responses": {
          "200": {
            "description": "A page; empty when there is no more.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "changes"
                  ],
                  "properties": {
                    "changes": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "required": [
                          "time",
                          "revision",
                          "kind",
                          "delta"
                        ],
                        "properties": {
                          "time": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "revision": {
                            "type": "integer",
                            "format": "int64"
                          },
                          "kind": {
                            "type": "string",
                            "description": "`created` with the sandbox, `edited` by a request; `adopted` from what the sandbox's node held after the store had lost something, or `merged`: the same, with edits over it that the store had taken meanwhile.",
                            "enum": [
                              "created",
                              "edited",
                              "adopted",
                              "merged"
                            ]
                          },
                          "delta": {
                            "type": "object",
                            "description": "A string sets the key; `null` or `\"\"` removes it.",
                            "additionalProperties": {
                              "type": "string",
                              "nullable": true
                            }
                          },
                          "apiKeyID": {
                            "type": "string",
                            "description": "Whose request it was; absent where it was none."
                          }
                        }
                      }
                    },
                    "oldestRevision": {
                      "type": "integer",
                      "format": "int64",
                      "description": "The oldest revision that the history tells of; absent when it tells of none."
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/events/sandboxes": {
      "get": {
        "operationId": "listSandboxEvents",
        "summary": "What happened to the team's sandboxes, to read or to follow",
        "description": "Every effective edit and every change of state that shows to the outside is an event, written in the same step as\nthe change. Ids only grow. A team's last 100,000 events are kept, of the last 7 days and up to 64 MiB of them.\n\nWith `Accept: text/event-stream` the answer is the same live, oldest first, as server-sent events: from the id in\n`Last-Event-ID` or `after` on, else from now on. `id` is the event's, `event` its type, `data` the JSON. A comment\ncomes every 15 s. A reader that takes nothing for 10 s is cut off, and every stream ends after an hour: whoever\nresumes with the last id misses nothing. When events after that id are no longer kept, an event `gap` says so.\n`offset`, `limit` and `orderAsc` have no meaning then.\n",
        "tags": [
          "events"
        ],
        "parameters": [
          {
            "name": "offset",
            "in": "query",
            "description": "Events to leave out at the beginning.",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 100000,
              "default": 0
            }
          },
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 100,
              "default": 10
            }
          },
          {
            "name": "orderAsc",
            "in": "query",
            "description": "Oldest first instead of newest first.",
            "schema": {
              "type": "boolean",
              "default": false
            }
          },
          {
            "name": "types",
            "in": "query",
            "description": "Only events of these types, joined with commas or given several times; all when absent.",
            "style": "form",
            "explode": false,
            "schema": {
              "type": "array",
              "maxItems": 16,
              "items": {
                "type": "string",
                "enum": [
                  "sandbox.lifecycle.created",
                  "sandbox.lifecycle.updated",
                  "sandbox.lifecycle.paused",
                  "sandbox.lifecycle.resumed",
                  "sandbox.lifecycle.checkpointed",
                  "sandbox.lifecycle.killed",
                  "sandbox.lifecycle.lost"
                ]
              }
            }
          },
          {
            "name": "after",
            "in": "query",
            "description": "Only events beyond the one with this id, in the order asked for.",
            "schema": {
              "type": "string",
              "pattern": "^[0-9]{1,16}$"
            }
          },
          {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id after which a stream goes on; counts before `after`.",
            "schema": {
              "type": "string",
              "maxLength": 64
            }
          }
        ],
        "responses": {
          "200": {
            "description": "A page, newest first unless `orderAsc` says otherwise; or the events as they come.",
            "headers": {
              "X-Next-Token": {
                "description": "What to give as `after` for the next page; absent on the last one.",
                "schema": {
                  "type": "string"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "version",
                      "id",
                      "type",
                      "timestamp",
                      "eventData",
                      "sandboxId",
                      "sandboxExecutionId",
                      "sandboxTemplateId",
                      "sandboxBuildId",
                      "sandboxTeamId",
                      "metadataRevision"
                    ],
                    "properties": {
                      "version": {
                        "type": "string",
                        "enum": [
                          "v2"
                        ]
                      },
                      "id": {
                        "type": "string",
                        "description": "Decimal digits; grows with every event of the team."
                      },
                      "type": {
                        "type": "string",
                        "enum": [
                          "sandbox.lifecycle.created",
                          "sandbox.lifecycle.updated",
                          "sandbox.lifecycle.paused",
                          "sandbox.lifecycle.resumed",
                          "sandbox.lifecycle.checkpointed",
                          "sandbox.lifecycle.killed",
                          "sandbox.lifecycle.lost"
                        ]
                      },
                      "timestamp": {
                        "type": "string",
                        "format": "date-time",
                        "description": "By the store's clock."
                      },
                      "eventData": {
                        "type": "object",
                        "properties": {
                          "sandbox_metadata": {
                            "allOf": [
                              {
                                "type": "object",
                                "additionalProperties": {
                                  "type": "string"
                                }
                              }
                            ],
                            "description": "The metadata at that moment; absent where one field was updated."
                          },
                          "metadata_delta": {
                            "type": "object",
                            "additionalProperties": {
                              "type": "string",
                              "nullable": true
                            },
                            "description": "What an edit of the metadata changed; null for a key that it removed."
                          },
                          "set_timeout": {
                            "type": "string",
                            "format": "date-time",
                            "description": "The new end time."
                          },
                          "network_egress": {
                            "type": "object",
                            "required": [
                              "allowed_cidrs",
                              "denied_cidrs",
                              "allowed_domains"
                            ],
                            "description": "The new network rules.",
                            "properties": {
                              "allowed_cidrs": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              },
                              "denied_cidrs": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              },
                              "allowed_domains": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              }
                            }
                          },
                          "found": {
                            "type": "boolean",
                            "enum": [
                              true
                            ],
                            "description": "The sandbox was lost, or the store had forgotten it, and its node has reported it."
                          },
                          "cause": {
                            "type": "string",
                            "enum": [
                              "requested",
                              "timeout",
                              "client_gone",
                              "start_failed",
                              "overdue",
                              "node_says_gone",
                              "exited",
                              "node_shutdown",
                              "unknown"
                            ],
                            "description": "Why it was killed."
                          },
                          "execution": {
                            "type": "object",
                            "required": [
                              "started_at",
                              "vcpu_count",
                              "memory_mb",
                              "execution_time"
                            ],
                            "description": "The execution that a pause or a kill ended.",
                            "properties": {
                              "started_at": {
                                "type": "string",
                                "format": "date-time"
                              },
                              "vcpu_count": {
                                "type": "integer",
                                "format": "int32"
                              },
                              "memory_mb": {
                                "type": "integer",
                                "format": "int32"
                              },
                              "execution_time": {
                                "type": "integer",
                                "format": "int64",
                                "description": "Milliseconds."
                              }
                            }
                          }
                        }
                      },
                      "sandboxId": {
                        "type": "string"
                      },
                      "sandboxExecutionId": {
                        "type": "string"
                      },
                      "sandboxTemplateId": {
                        "type": "string"
                      },
                      "sandboxBuildId": {
                        "type": "string",
                        "description": "The template's id; templates have no builds of their own yet."
                      },
                      "sandboxTeamId": {
                        "type": "string"
                      },
                      "metadataRevision": {
                        "type": "integer",
                        "format": "int64",
                        "description": "The metadata's revision at that moment."
                      },
                      "apiKeyId": {
                        "type": "string",
                        "description": "Whose request it was; absent where nobody asked."
                      }
                    }
                  }
                }
              },
              "text/event-stream": {
                "schema": {
                  "type": "string"
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/events/sandboxes/{sandboxID}": {
      "parameters": [
        {
          "name": "sandboxID",
          "in": "path",
          "required": true,
          "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          }
        }
      ],
      "get": {
        "operationId": "listEventsOfSandbox",
        "summary": "What happened to one sandbox, also one that is gone",
        "description": "As `GET /events/sandboxes`; a sandbox that is not known has no events.",
        "tags": [
          "events"
        ],
        "parameters": [
          {
            "name": "offset",
            "in": "query",
            "description": "Events to leave out at the beginning.",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 100000,
              "default": 0
            }
          },
          {
            "name": "limit",
            "in": "query",
            "schema": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 100,
              "default": 10
            }
          },
          {
            "name": "orderAsc",
            "in": "query",
            "description": "Oldest first instead of newest first.",
            "schema": {
              "type": "boolean",
              "default": false
            }
          },
          {
            "name": "types",
            "in": "query",
            "description": "Only events of these types, joined with commas or given several times; all when absent.",
            "style": "form",
            "explode": false,
            "schema": {
              "type": "array",
              "maxItems": 16,
              "items": {
                "type": "string",
                "enum": [
                  "sandbox.lifecycle.created",
                  "sandbox.lifecycle.updated",
                  "sandbox.lifecycle.paused",
                  "sandbox.lifecycle.resumed",
                  "sandbox.lifecycle.checkpointed",
                  "sandbox.lifecycle.killed",
                  "sandbox.lifecycle.lost"
                ]
              }
            }
          },
          {
            "name": "after",
            "in": "query",
            "description": "Only events beyond the one with this id, in the order asked for.",
            "schema": {
              "type": "string",
              "pattern": "^[0-9]{1,16}$"
            }
          },
          {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id after which a stream goes on; counts before `after`.",
            "schema": {
              "type": "string",
              "maxLength": 64
            }
          }
        ],
        "responses": {
          "200": {
            "description": "A page, newest first unless `orderAsc` says otherwise; or the events as they come.",
            "headers": {
              "X-Next-Token": {
                "description": "What to give as `after` for the next page; absent on the last one.",
                "schema": {
                  "type": "string"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "version",
                      "id",
                      "type",
                      "timestamp",
                      "eventData",
                      "sandboxId",
                      "sandboxExecutionId",
                      "sandboxTemplateId",
                      "sandboxBuildId",
                      "sandboxTeamId",
                      "metadataRevision"
                    ],
                    "properties": {
                      "version": {
                        "type": "string",
                        "enum": [
                          "v2"
                        ]
                      },
                      "id": {
                        "type": "string",
                        "description": "Decimal digits; grows with every event of the team."
                      },
                      "type": {
                        "type": "string",
                        "enum": [
                          "sandbox.lifecycle.created",
                          "sandbox.lifecycle.updated",
                          "sandbox.lifecycle.paused",
                          "sandbox.lifecycle.resumed",
                          "sandbox.lifecycle.checkpointed",
                          "sandbox.lifecycle.killed",
                          "sandbox.lifecycle.lost"
                        ]
                      },
                      "timestamp": {
                        "type": "string",
                        "format": "date-time",
                        "description": "By the store's clock."
                      },
                      "eventData": {
                        "type": "object",
                        "properties": {
                          "sandbox_metadata": {
                            "allOf": [
                              {
                                "type": "object",
                                "additionalProperties": {
                                  "type": "string"
                                }
                              }
                            ],
                            "description": "The metadata at that moment; absent where one field was updated."
                          },
                          "metadata_delta": {
                            "type": "object",
                            "additionalProperties": {
                              "type": "string",
                              "nullable": true
                            },
                            "description": "What an edit of the metadata changed; null for a key that it removed."
                          },
                          "set_timeout": {
                            "type": "string",
                            "format": "date-time",
                            "description": "The new end time."
                          },
                          "network_egress": {
                            "type": "object",
                            "required": [
                              "allowed_cidrs",
                              "denied_cidrs",
                              "allowed_domains"
                            ],
                            "description": "The new network rules.",
                            "properties": {
                              "allowed_cidrs": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              },
                              "denied_cidrs": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              },
                              "allowed_domains": {
                                "type": "array",
                                "items": {
                                  "type": "string"
                                }
                              }
                            }
                          },
                          "found": {
                            "type": "boolean",
                            "enum": [
                              true
                            ],
                            "description": "The sandbox was lost, or the store had forgotten it, and its node has reported it."
                          },
                          "cause": {
                            "type": "string",
                            "enum": [
                              "requested",
                              "timeout",
                              "client_gone",
                              "start_failed",
                              "overdue",
                              "node_says_gone",
                              "exited",
                              "node_shutdown",
                              "unknown"
                            ],
                            "description": "Why it was killed."
                          },
                          "execution": {
                            "type": "object",
                            "required": [
                              "started_at",
                              "vcpu_count",
                              "memory_mb",
                              "execution_time"
                            ],
                            "description": "The execution that a pause or a kill ended.",
                            "properties": {
                              "started_at": {
                                "type": "string",
                                "format": "date-time"
                              },
                              "vcpu_count": {
                                "type": "integer",
                                "format": "int32"
                              },
                              "memory_mb": {
                                "type": "integer",
                                "format": "int32"
                              },
                              "execution_time": {
                                "type": "integer",
                                "format": "int64",
                                "description": "Milliseconds."
                              }
                            }
                          }
                        }
                      },
                      "sandboxId": {
                        "type": "string"
                      },
                      "sandboxExecutionId": {
                        "type": "string"
                      },
                      "sandboxTemplateId": {
                        "type": "string"
                      },
                      "sandboxBuildId": {
                        "type": "string",
                        "description": "The template's id; templates have no builds of their own yet."
                      },
                      "sandboxTeamId": {
                        "type": "string"
                      },
                      "metadataRevision": {
                        "type": "integer",
                        "format": "int64",
                        "description": "The metadata's revision at that moment."
                      },
                      "apiKeyId": {
                        "type": "string",
                        "description": "Whose request it was; absent where nobody asked."
                      }
                    }
                  }
                }
              },
              "text/event-stream": {
                "schema": {
                  "type": "string"
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/events/webhooks": {
      "get": {
        "operationId": "listWebhooks",
        "summary": "The team's webhooks",
        "tags": [
          "events"
        ],
        "responses": {
          "200": {
            "description": "All of them, by id.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "id",
                      "teamID",
                      "teamId",
                      "name",
                      "url",
                      "enabled",
                      "events",
                      "createdAt"
                    ],
                    "properties": {
                      "id": {
                        "type": "string"
                      },
                      "teamID": {
                        "type": "string"
                      },
                      "teamId": {
                        "type": "string"
                      },
                      "name": {
                        "type": "string"
                      },
                      "url": {
                        "type": "string"
                      },
                      "enabled": {
                        "type": "boolean"
                      },
                      "events": {
                        "type": "array",
                        "items": {
                          "type": "string",
                          "enum": [
                            "sandbox.lifecycle.created",
                            "sandbox.lifecycle.updated",
                            "sandbox.lifecycle.paused",
                            "sandbox.lifecycle.resumed",
                            "sandbox.lifecycle.checkpointed",
                            "sandbox.lifecycle.killed",
                            "sandbox.lifecycle.lost"
                          ]
                        }
                      },
                      "createdAt": {
                        "type": "string",
                        "format": "date-time"
                      }
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "post": {
        "operationId": "createWebhook",
        "summary": "Be told of events from now on",
        "description": "Each event is posted as JSON, with `e2b-signature`: URL-safe base64 without padding of SHA-256 over the secret and\nthen the body; and with `castellan-signature`: `t=<unix seconds>,v1=<hex>` with HMAC-SHA256 over `<t>.<body>`.\nWhatever is not answered with 2xx within 10 s is sent again, up to 8 times over some 4 minutes, and is then a dead\nletter. The same event may come twice: `castellan-event-id`, or the `id` in the body, tells. The events of one\nsandbox come in their order. Redirects are not followed, and private or internal addresses are refused unless the\noperator allows them.\n",
        "tags": [
          "events"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "required": [
                  "name",
                  "url",
                  "events"
                ],
                "properties": {
                  "name": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 256
                  },
                  "url": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 2048,
                    "description": "An http:// or https:// URL."
                  },
                  "enabled": {
                    "type": "boolean",
                    "default": true
                  },
                  "events": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 16,
                    "items": {
                      "type": "string",
                      "enum": [
                        "sandbox.lifecycle.created",
                        "sandbox.lifecycle.updated",
                        "sandbox.lifecycle.paused",
                        "sandbox.lifecycle.resumed",
                        "sandbox.lifecycle.checkpointed",
                        "sandbox.lifecycle.killed",
                        "sandbox.lifecycle.lost"
                      ]
                    }
                  },
                  "signatureSecret": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 512,
                    "description": "What deliveries are signed with; made and told once when absent."
                  }
                }
              }
            }
          }
        },
        "responses": {
          "201": {
            "description": "It is told of what happens from now on.",
            "content": {
              "application/json": {
                "schema": {
                  "allOf": [
                    {
                      "type": "object",
                      "required": [
                        "id",
                        "teamID",
                        "teamId",
                        "name",
                        "url",
                        "enabled",
                        "events",
                        "createdAt"
                      ],
                      "properties": {
                        "id": {
                          "type": "string"
                        },
                        "teamID": {
                          "type": "string"
                        },
                        "teamId": {
                          "type": "string"
                        },
                        "name": {
                          "type": "string"
                        },
                        "url": {
                          "type": "string"
                        },
                        "enabled": {
                          "type": "boolean"
                        },
                        "events": {
                          "type": "array",
                          "items": {
                            "type": "string",
                            "enum": [
                              "sandbox.lifecycle.created",
                              "sandbox.lifecycle.updated",
                              "sandbox.lifecycle.paused",
                              "sandbox.lifecycle.resumed",
                              "sandbox.lifecycle.checkpointed",
                              "sandbox.lifecycle.killed",
                              "sandbox.lifecycle.lost"
                            ]
                          }
                        },
                        "createdAt": {
                          "type": "string",
                          "format": "date-time"
                        }
                      }
                    },
                    {
                      "type": "object",
                      "properties": {
                        "signatureSecret": {
                          "type": "string",
                          "description": "The secret that was made, where none was given; it is never shown again."
                        }
                      }
                    }
                  ]
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/events/webhooks/{webhookID}": {
      "parameters": [
        {
          "name": "webhookID",
          "in": "path",
          "required": true,
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64
          }
        }
      ],
      "get": {
        "operationId": "getWebhook",
        "summary": "One webhook",
        "tags": [
          "events"
        ],
        "responses": {
          "200": {
            "description": "The webhook.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "id",
                    "teamID",
                    "teamId",
                    "name",
                    "url",
                    "enabled",
                    "events",
                    "createdAt"
                  ],
                  "properties": {
                    "id": {
                      "type": "string"
                    },
                    "teamID": {
                      "type": "string"
                    },
                    "teamId": {
                      "type": "string"
                    },
                    "name": {
                      "type": "string"
                    },
                    "url": {
                      "type": "string"
                    },
                    "enabled": {
                      "type": "boolean"
                    },
                    "events": {
                      "type": "array",
                      "items": {
                        "type": "string",
                        "enum": [
                          "sandbox.lifecycle.created",
                          "sandbox.lifecycle.updated",
                          "sandbox.lifecycle.paused",
                          "sandbox.lifecycle.resumed",
                          "sandbox.lifecycle.checkpointed",
                          "sandbox.lifecycle.killed",
                          "sandbox.lifecycle.lost"
                        ]
                      }
                    },
                    "createdAt": {
                      "type": "string",
                      "format": "date-time"
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "patch": {
        "operationId": "updateWebhook",
        "summary": "Change what is given",
        "description": "What happens while it is disabled is not told later.",
        "tags": [
          "events"
        ],
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 256
                  },
                  "url": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 2048,
                    "description": "An http:// or https:// URL."
                  },
                  "enabled": {
                    "type": "boolean"
                  },
                  "events": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 16,
                    "items": {
                      "type": "string",
                      "enum": [
                        "sandbox.lifecycle.created",
                        "sandbox.lifecycle.updated",
                        "sandbox.lifecycle.paused",
                        "sandbox.lifecycle.resumed",
                        "sandbox.lifecycle.checkpointed",
                        "sandbox.lifecycle.killed",
                        "sandbox.lifecycle.lost"
                      ]
                    }
                  },
                  "signatureSecret": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 512,
                    "description": "What deliveries are signed with from now on."
                  }
                }
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "The webhook as it is now.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "id",
                    "teamID",
                    "teamId",
                    "name",
                    "url",
                    "enabled",
                    "events",
                    "createdAt"
                  ],
                  "properties": {
                    "id": {
                      "type": "string"
                    },
                    "teamID": {
                      "type": "string"
                    },
                    "teamId": {
                      "type": "string"
                    },
                    "name": {
                      "type": "string"
                    },
                    "url": {
                      "type": "string"
                    },
                    "enabled": {
                      "type": "boolean"
                    },
                    "events": {
                      "type": "array",
                      "items": {
                        "type": "string",
                        "enum": [
                          "sandbox.lifecycle.created",
                          "sandbox.lifecycle.updated",
                          "sandbox.lifecycle.paused",
                          "sandbox.lifecycle.resumed",
                          "sandbox.lifecycle.checkpointed",
                          "sandbox.lifecycle.killed",
                          "sandbox.lifecycle.lost"
                        ]
                      }
                    },
                    "createdAt": {
                      "type": "string",
                      "format": "date-time"
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "413": {
            "description": "The body is over 256 KiB.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "415": {
            "description": "The body is of a media type that this operation does not take.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      },
      "delete": {
        "operationId": "deleteWebhook",
        "summary": "Be told no more",
        "tags": [
          "events"
        ],
        "responses": {
          "200": {
            "description": "It is gone."
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    "/events/webhooks/{webhookID}/dead-letters": {
      "parameters": [
        {
          "name": "webhookID",
          "in": "path",
          "required": true,
          "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64
          }
        }
      ],
      "get": {
        "operationId": "listWebhookDeadLetters",
        "summary": "Events that could not be delivered",
        "tags": [
          "events"
        ],
        "responses": {
          "200": {
            "description": "The last 200, newest first.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "eventId",
                      "sandboxId",
                      "attempts",
                      "timestamp",
                      "error"
                    ],
                    "properties": {
                      "eventId": {
                        "type": "string"
                      },
                      "sandboxId": {
                        "type": "string"
                      },
                      "attempts": {
                        "type": "integer",
                        "format": "int32"
                      },
                      "timestamp": {
                        "type": "string",
                        "format": "date-time",
                        "description": "When it was given up."
                      },
                      "error": {
                        "type": "string",
                        "description": "What was wrong the last time."
                      },
                      "payload": {
                        "type": "string",
                        "description": "The body that was sent; absent when it was over 16 KiB, or the event is no longer kept."
                      }
                    }
                  }
                }
              }
            }
          },
          "400": {
            "description": "The request does not make sense; nothing changed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "401": {
            "description": "No API key, or an unknown one.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "404": {
            "description": "There is no such thing, or it belongs to another team.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "429": {
            "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Limit": {
                "description": "Requests that the API key may make in one second, where that is limited.",
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Remaining": {
                "schema": {
                  "type": "integer"
                }
              },
              "RateLimit-Reset": {
                "description": "Seconds until all of them may be made again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "500": {
            "description": "The service failed; its log says why.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          "503": {
            "description": "Not now; try again.",
            "headers": {
              "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {
                  "type": "integer"
                }
              }
            },
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "required": [
                    "code",
                    "message"
                  ],
                  "properties": {
                    "code": {
                      "type": "integer",
                      "description": "The HTTP status."
                    },
                    "message": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  },
  "components": {
    "securitySchemes": {
      "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key"
      }
    },
    "parameters": {
      "SandboxID": {
        "name": "sandboxID",
        "in": "path",
        "required": true,
        "description": "As `i` and 20 lower-case letters or digits; the older `id-client` form is accepted.",
        "schema": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128
        }
      },
      "MetadataFilter": {
        "name": "metadata",
        "in": "query",
        "description": "Tags that all must be there, as `key=value&key=value` with keys and values URL-encoded,\nand the whole URL-encoded once more.\n",
        "schema": {
          "type": "string",
          "maxLength": 16384
        }
      },
      "WebhookID": {
        "name": "webhookID",
        "in": "path",
        "required": true,
        "schema": {
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        }
      },
      "EventOffset": {
        "name": "offset",
        "in": "query",
        "description": "Events to leave out at the beginning.",
        "schema": {
          "type": "integer",
          "format": "int32",
          "minimum": 0,
          "maximum": 100000,
          "default": 0
        }
      },
      "EventLimit": {
        "name": "limit",
        "in": "query",
        "schema": {
          "type": "integer",
          "format": "int32",
          "minimum": 1,
          "maximum": 100,
          "default": 10
        }
      },
      "EventOrder": {
        "name": "orderAsc",
        "in": "query",
        "description": "Oldest first instead of newest first.",
        "schema": {
          "type": "boolean",
          "default": false
        }
      },
      "EventTypes": {
        "name": "types",
        "in": "query",
        "description": "Only events of these types, joined with commas or given several times; all when absent.",
        "style": "form",
        "explode": false,
        "schema": {
          "type": "array",
          "maxItems": 16,
          "items": {
            "type": "string",
            "enum": [
              "sandbox.lifecycle.created",
              "sandbox.lifecycle.updated",
              "sandbox.lifecycle.paused",
              "sandbox.lifecycle.resumed",
              "sandbox.lifecycle.checkpointed",
              "sandbox.lifecycle.killed",
              "sandbox.lifecycle.lost"
            ]
          }
        }
      },
      "EventAfter": {
        "name": "after",
        "in": "query",
        "description": "Only events beyond the one with this id, in the order asked for.",
        "schema": {
          "type": "string",
          "pattern": "^[0-9]{1,16}$"
        }
      },
      "LastEventID": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The id after which a stream goes on; counts before `after`.",
        "schema": {
          "type": "string",
          "maxLength": 64
        }
      }
    },
    "headers": {
      "ETag": {
        "description": "The metadata's revision in quotes.",
        "schema": {
          "type": "string"
        }
      }
    },
    "requestBodies": {
      "NewSandbox": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "templateID"
              ],
              "properties": {
                "templateID": {
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 128
                },
                "timeout": {
                  "type": "integer",
                  "format": "int32",
                  "default": 15,
                  "description": "Seconds to live."
                },
                "autoPause": {
                  "type": "boolean",
                  "default": false,
                  "description": "Pause at the end time instead of ending."
                },
                "autoPauseMemory": {
                  "type": "boolean",
                  "default": true
                },
                "autoResume": {
                  "type": "object",
                  "required": [
                    "enabled"
                  ],
                  "properties": {
                    "enabled": {
                      "type": "boolean"
                    }
                  }
                },
                "secure": {
                  "type": "boolean",
                  "default": false,
                  "description": "Require an access token for commands and files."
                },
                "allow_internet_access": {
                  "type": "boolean"
                },
                "isolation": {
                  "type": "string",
                  "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                  "enum": [
                    "runc",
                    "gvisor"
                  ]
                },
                "network": {
                  "type": "object",
                  "properties": {
                    "allowPublicTraffic": {
                      "type": "boolean",
                      "default": true,
                      "description": "Whether the sandbox's ports answer without a traffic token."
                    },
                    "allowOut": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                    },
                    "denyOut": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "description": "Addresses or CIDR blocks that it may not reach."
                    },
                    "maskRequestHost": {
                      "type": "string",
                      "maxLength": 253
                    },
                    "httpsPorts": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 65535
                      },
                      "description": "Ports whose servers inside speak HTTPS."
                    },
                    "egressProxy": {
                      "type": "object",
                      "nullable": true,
                      "additionalProperties": true,
                      "description": "Not supported yet; anything but `null` is a 400."
                    },
                    "rules": {
                      "type": "object",
                      "additionalProperties": true,
                      "description": "Not supported yet; anything but an empty object is a 400."
                    }
                  }
                },
                "metadata": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "envVars": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "mcp": {
                  "type": "object",
                  "nullable": true,
                  "additionalProperties": true
                },
                "iam": {
                  "type": "object",
                  "additionalProperties": true
                },
                "volumeMounts": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "name",
                      "path"
                    ],
                    "properties": {
                      "name": {
                        "type": "string"
                      },
                      "path": {
                        "type": "string"
                      }
                    }
                  }
                }
              }
            }
          }
        }
      },
      "NewSandboxV2": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "description": "As `NewSandbox`, and always secure.",
              "required": [
                "templateID"
              ],
              "properties": {
                "templateID": {
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 128
                },
                "timeout": {
                  "type": "integer",
                  "format": "int32",
                  "default": 300,
                  "description": "Seconds to live."
                },
                "autoPause": {
                  "type": "boolean",
                  "default": false,
                  "description": "Pause at the end time instead of ending."
                },
                "autoPauseMemory": {
                  "type": "boolean",
                  "default": true
                },
                "autoResume": {
                  "type": "object",
                  "required": [
                    "enabled"
                  ],
                  "properties": {
                    "enabled": {
                      "type": "boolean"
                    }
                  }
                },
                "allow_internet_access": {
                  "type": "boolean"
                },
                "isolation": {
                  "type": "string",
                  "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
                  "enum": [
                    "runc",
                    "gvisor"
                  ]
                },
                "network": {
                  "type": "object",
                  "properties": {
                    "allowPublicTraffic": {
                      "type": "boolean",
                      "default": true,
                      "description": "Whether the sandbox's ports answer without a traffic token."
                    },
                    "allowOut": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
                    },
                    "denyOut": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "string",
                        "maxLength": 253
                      },
                      "description": "Addresses or CIDR blocks that it may not reach."
                    },
                    "maskRequestHost": {
                      "type": "string",
                      "maxLength": 253
                    },
                    "httpsPorts": {
                      "type": "array",
                      "maxItems": 256,
                      "items": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 65535
                      },
                      "description": "Ports whose servers inside speak HTTPS."
                    },
                    "egressProxy": {
                      "type": "object",
                      "nullable": true,
                      "additionalProperties": true,
                      "description": "Not supported yet; anything but `null` is a 400."
                    },
                    "rules": {
                      "type": "object",
                      "additionalProperties": true,
                      "description": "Not supported yet; anything but an empty object is a 400."
                    }
                  }
                },
                "metadata": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "envVars": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "mcp": {
                  "type": "object",
                  "nullable": true,
                  "additionalProperties": true
                },
                "iam": {
                  "type": "object",
                  "additionalProperties": true
                },
                "volumeMounts": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "required": [
                      "name",
                      "path"
                    ],
                    "properties": {
                      "name": {
                        "type": "string"
                      },
                      "path": {
                        "type": "string"
                      }
                    }
                  }
                }
              }
            }
          }
        }
      },
      "ConnectSandbox": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "timeout"
              ],
              "properties": {
                "timeout": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 0,
                  "description": "Seconds from now."
                },
                "memory": {
                  "type": "boolean",
                  "default": true
                }
              }
            }
          }
        }
      },
      "ConnectSandboxV2": {
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "properties": {
                "timeout": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 0,
                  "default": 300,
                  "description": "Seconds from now."
                },
                "memory": {
                  "type": "boolean",
                  "default": true
                }
              }
            }
          }
        }
      }
    },
    "responses": {
      "SandboxCreated": {
        "description": "Running, and ready for commands.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "templateID",
                "sandboxID",
                "clientID",
                "envdVersion"
              ],
              "properties": {
                "templateID": {
                  "type": "string"
                },
                "sandboxID": {
                  "type": "string"
                },
                "alias": {
                  "type": "string"
                },
                "clientID": {
                  "type": "string"
                },
                "envdVersion": {
                  "type": "string"
                },
                "envdAccessToken": {
                  "type": "string",
                  "description": "For `X-Access-Token`; only for a secure sandbox."
                },
                "trafficAccessToken": {
                  "type": "string",
                  "nullable": true,
                  "description": "For `e2b-traffic-access-token`; only without public traffic."
                },
                "domain": {
                  "type": "string",
                  "nullable": true,
                  "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                }
              }
            }
          }
        }
      },
      "SandboxConnected": {
        "description": "It was running.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "templateID",
                "sandboxID",
                "clientID",
                "envdVersion"
              ],
              "properties": {
                "templateID": {
                  "type": "string"
                },
                "sandboxID": {
                  "type": "string"
                },
                "alias": {
                  "type": "string"
                },
                "clientID": {
                  "type": "string"
                },
                "envdVersion": {
                  "type": "string"
                },
                "envdAccessToken": {
                  "type": "string",
                  "description": "For `X-Access-Token`; only for a secure sandbox."
                },
                "trafficAccessToken": {
                  "type": "string",
                  "nullable": true,
                  "description": "For `e2b-traffic-access-token`; only without public traffic."
                },
                "domain": {
                  "type": "string",
                  "nullable": true,
                  "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
                }
              }
            }
          }
        }
      },
      "Metadata": {
        "description": "Store and node agree on this state, or the sandbox is not running.",
        "headers": {
          "ETag": {
            "description": "The metadata's revision in quotes.",
            "schema": {
              "type": "string"
            }
          }
        },
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "metadata",
                "revision",
                "appliedRevision"
              ],
              "properties": {
                "metadata": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "revision": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Grows with every effective edit."
                },
                "appliedRevision": {
                  "type": "integer",
                  "format": "int64",
                  "description": "What the sandbox's node last confirmed."
                }
              }
            }
          }
        }
      },
      "SandboxEvents": {
        "description": "A page, newest first unless `orderAsc` says otherwise; or the events as they come.",
        "headers": {
          "X-Next-Token": {
            "description": "What to give as `after` for the next page; absent on the last one.",
            "schema": {
              "type": "string"
            }
          }
        },
        "content": {
          "application/json": {
            "schema": {
              "type": "array",
              "items": {
                "type": "object",
                "required": [
                  "version",
                  "id",
                  "type",
                  "timestamp",
                  "eventData",
                  "sandboxId",
                  "sandboxExecutionId",
                  "sandboxTemplateId",
                  "sandboxBuildId",
                  "sandboxTeamId",
                  "metadataRevision"
                ],
                "properties": {
                  "version": {
                    "type": "string",
                    "enum": [
                      "v2"
                    ]
                  },
                  "id": {
                    "type": "string",
                    "description": "Decimal digits; grows with every event of the team."
                  },
                  "type": {
                    "type": "string",
                    "enum": [
                      "sandbox.lifecycle.created",
                      "sandbox.lifecycle.updated",
                      "sandbox.lifecycle.paused",
                      "sandbox.lifecycle.resumed",
                      "sandbox.lifecycle.checkpointed",
                      "sandbox.lifecycle.killed",
                      "sandbox.lifecycle.lost"
                    ]
                  },
                  "timestamp": {
                    "type": "string",
                    "format": "date-time",
                    "description": "By the store's clock."
                  },
                  "eventData": {
                    "type": "object",
                    "properties": {
                      "sandbox_metadata": {
                        "allOf": [
                          {
                            "type": "object",
                            "additionalProperties": {
                              "type": "string"
                            }
                          }
                        ],
                        "description": "The metadata at that moment; absent where one field was updated."
                      },
                      "metadata_delta": {
                        "type": "object",
                        "additionalProperties": {
                          "type": "string",
                          "nullable": true
                        },
                        "description": "What an edit of the metadata changed; null for a key that it removed."
                      },
                      "set_timeout": {
                        "type": "string",
                        "format": "date-time",
                        "description": "The new end time."
                      },
                      "network_egress": {
                        "type": "object",
                        "required": [
                          "allowed_cidrs",
                          "denied_cidrs",
                          "allowed_domains"
                        ],
                        "description": "The new network rules.",
                        "properties": {
                          "allowed_cidrs": {
                            "type": "array",
                            "items": {
                              "type": "string"
                            }
                          },
                          "denied_cidrs": {
                            "type": "array",
                            "items": {
                              "type": "string"
                            }
                          },
                          "allowed_domains": {
                            "type": "array",
                            "items": {
                              "type": "string"
                            }
                          }
                        }
                      },
                      "found": {
                        "type": "boolean",
                        "enum": [
                          true
                        ],
                        "description": "The sandbox was lost, or the store had forgotten it, and its node has reported it."
                      },
                      "cause": {
                        "type": "string",
                        "enum": [
                          "requested",
                          "timeout",
                          "client_gone",
                          "start_failed",
                          "overdue",
                          "node_says_gone",
                          "exited",
                          "node_shutdown",
                          "unknown"
                        ],
                        "description": "Why it was killed."
                      },
                      "execution": {
                        "type": "object",
                        "required": [
                          "started_at",
                          "vcpu_count",
                          "memory_mb",
                          "execution_time"
                        ],
                        "description": "The execution that a pause or a kill ended.",
                        "properties": {
                          "started_at": {
                            "type": "string",
                            "format": "date-time"
                          },
                          "vcpu_count": {
                            "type": "integer",
                            "format": "int32"
                          },
                          "memory_mb": {
                            "type": "integer",
                            "format": "int32"
                          },
                          "execution_time": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Milliseconds."
                          }
                        }
                      }
                    }
                  },
                  "sandboxId": {
                    "type": "string"
                  },
                  "sandboxExecutionId": {
                    "type": "string"
                  },
                  "sandboxTemplateId": {
                    "type": "string"
                  },
                  "sandboxBuildId": {
                    "type": "string",
                    "description": "The template's id; templates have no builds of their own yet."
                  },
                  "sandboxTeamId": {
                    "type": "string"
                  },
                  "metadataRevision": {
                    "type": "integer",
                    "format": "int64",
                    "description": "The metadata's revision at that moment."
                  },
                  "apiKeyId": {
                    "type": "string",
                    "description": "Whose request it was; absent where nobody asked."
                  }
                }
              }
            }
          },
          "text/event-stream": {
            "schema": {
              "type": "string"
            }
          }
        }
      },
      "BadRequest": {
        "description": "The request does not make sense; nothing changed.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "Unauthorized": {
        "description": "No API key, or an unknown one.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "Forbidden": {
        "description": "The API key may not do this.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "NotFound": {
        "description": "There is no such thing, or it belongs to another team.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "Conflict": {
        "description": "The sandbox's state does not allow it.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "PayloadTooLarge": {
        "description": "The body is over 256 KiB.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "UnsupportedMediaType": {
        "description": "The body is of a media type that this operation does not take.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "TooManyRequests": {
        "description": "The team runs as many sandboxes as it may, or the API key asks more often than it may.",
        "headers": {
          "Retry-After": {
            "description": "Seconds to wait before trying again.",
            "schema": {
              "type": "integer"
            }
          },
          "RateLimit-Limit": {
            "description": "Requests that the API key may make in one second, where that is limited.",
            "schema": {
              "type": "integer"
            }
          },
          "RateLimit-Remaining": {
            "schema": {
              "type": "integer"
            }
          },
          "RateLimit-Reset": {
            "description": "Seconds until all of them may be made again.",
            "schema": {
              "type": "integer"
            }
          }
        },
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "ServerError": {
        "description": "The service failed; its log says why.",
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "Unavailable": {
        "description": "Not now; try again.",
        "headers": {
          "Retry-After": {
            "description": "Seconds to wait before trying again.",
            "schema": {
              "type": "integer"
            }
          }
        },
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "required": [
                "code",
                "message"
              ],
              "properties": {
                "code": {
                  "type": "integer",
                  "description": "The HTTP status."
                },
                "message": {
                  "type": "string"
                }
              }
            }
          }
        }
      }
    },
    "schemas": {
      "Error": {
        "type": "object",
        "required": [
          "code",
          "message"
        ],
        "properties": {
          "code": {
            "type": "integer",
            "description": "The HTTP status."
          },
          "message": {
            "type": "string"
          }
        }
      },
      "Health": {
        "type": "object",
        "required": [
          "status",
          "version",
          "store"
        ],
        "properties": {
          "status": {
            "type": "string",
            "enum": [
              "ok"
            ]
          },
          "version": {
            "type": "string"
          },
          "store": {
            "type": "object",
            "required": [
              "kind",
              "durability"
            ],
            "properties": {
              "kind": {
                "type": "string",
                "enum": [
                  "sqlite",
                  "redis"
                ]
              },
              "durability": {
                "type": "string",
                "description": "What an acknowledged write survives, in words."
              }
            }
          }
        }
      },
      "Node": {
        "type": "object",
        "required": [
          "nodeID",
          "bootID",
          "status",
          "address",
          "version",
          "isolation",
          "sandboxes",
          "capacity",
          "leaseExpiresAt",
          "capabilities"
        ],
        "properties": {
          "nodeID": {
            "type": "string"
          },
          "bootID": {
            "type": "string",
            "description": "New whenever the node's process starts."
          },
          "status": {
            "type": "string",
            "enum": [
              "ready",
              "lost"
            ]
          },
          "address": {
            "type": "string"
          },
          "version": {
            "type": "string"
          },
          "isolation": {
            "type": "string",
            "description": "What sandboxes get that ask for none."
          },
          "isolations": {
            "type": "array",
            "description": "What sandboxes may ask for.",
            "items": {
              "type": "string",
              "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
              "enum": [
                "runc",
                "gvisor"
              ]
            }
          },
          "sandboxes": {
            "type": "integer"
          },
          "capacity": {
            "type": "object",
            "required": [
              "sandboxes",
              "cpuCount",
              "memoryBytes"
            ],
            "properties": {
              "sandboxes": {
                "type": "integer"
              },
              "cpuCount": {
                "type": "integer"
              },
              "memoryBytes": {
                "type": "integer",
                "format": "int64"
              },
              "sandboxMemoryBytes": {
                "type": "integer",
                "format": "int64",
                "description": "What its sandboxes' memory limits may add up to; absent or 0 where the node does not say."
              }
            }
          },
          "leaseExpiresAt": {
            "type": "string",
            "format": "date-time"
          },
          "capabilities": {
            "type": "object",
            "required": [
              "pauseWithMemory"
            ],
            "properties": {
              "pauseWithMemory": {
                "type": "boolean"
              }
            }
          }
        }
      },
      "SandboxState": {
        "type": "string",
        "enum": [
          "running",
          "paused"
        ]
      },
      "Isolation": {
        "type": "string",
        "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
        "enum": [
          "runc",
          "gvisor"
        ]
      },
      "SandboxMetric": {
        "type": "object",
        "required": [
          "timestamp",
          "timestampUnix",
          "cpuCount",
          "cpuUsedPct",
          "memUsed",
          "memTotal",
          "memCache",
          "diskUsed",
          "diskTotal"
        ],
        "properties": {
          "timestamp": {
            "type": "string",
            "format": "date-time"
          },
          "timestampUnix": {
            "type": "integer",
            "format": "int64",
            "description": "Seconds since 1970."
          },
          "cpuCount": {
            "type": "integer",
            "format": "int32"
          },
          "cpuUsedPct": {
            "type": "number",
            "format": "float",
            "description": "Share of all its processors that it used since the measurement before, 0 to 100."
          },
          "memUsed": {
            "type": "integer",
            "format": "int64",
            "description": "Bytes without those of `memCache`."
          },
          "memTotal": {
            "type": "integer",
            "format": "int64",
            "description": "Bytes that it may use."
          },
          "memCache": {
            "type": "integer",
            "format": "int64",
            "description": "Bytes of files in memory that it would do without."
          },
          "diskUsed": {
            "type": "integer",
            "format": "int64",
            "description": "Bytes of the sandbox's own file system."
          },
          "diskTotal": {
            "type": "integer",
            "format": "int64"
          }
        }
      },
      "SandboxesWithMetrics": {
        "type": "object",
        "required": [
          "sandboxes"
        ],
        "properties": {
          "sandboxes": {
            "type": "object",
            "additionalProperties": {
              "type": "object",
              "required": [
                "timestamp",
                "timestampUnix",
                "cpuCount",
                "cpuUsedPct",
                "memUsed",
                "memTotal",
                "memCache",
                "diskUsed",
                "diskTotal"
              ],
              "properties": {
                "timestamp": {
                  "type": "string",
                  "format": "date-time"
                },
                "timestampUnix": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Seconds since 1970."
                },
                "cpuCount": {
                  "type": "integer",
                  "format": "int32"
                },
                "cpuUsedPct": {
                  "type": "number",
                  "format": "float",
                  "description": "Share of all its processors that it used since the measurement before, 0 to 100."
                },
                "memUsed": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Bytes without those of `memCache`."
                },
                "memTotal": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Bytes that it may use."
                },
                "memCache": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Bytes of files in memory that it would do without."
                },
                "diskUsed": {
                  "type": "integer",
                  "format": "int64",
                  "description": "Bytes of the sandbox's own file system."
                },
                "diskTotal": {
                  "type": "integer",
                  "format": "int64"
                }
              }
            }
          }
        }
      },
      "LogLevel": {
        "type": "string",
        "enum": [
          "debug",
          "info",
          "warn",
          "error"
        ]
      },
      "SandboxLog": {
        "type": "object",
        "required": [
          "timestamp",
          "line"
        ],
        "properties": {
          "timestamp": {
            "type": "string",
            "format": "date-time"
          },
          "line": {
            "type": "string",
            "description": "A JSON object with at least `level`, `logger` and `message`."
          }
        }
      },
      "SandboxLogEntry": {
        "type": "object",
        "required": [
          "timestamp",
          "level",
          "message",
          "fields"
        ],
        "properties": {
          "timestamp": {
            "type": "string",
            "format": "date-time"
          },
          "level": {
            "type": "string",
            "enum": [
              "debug",
              "info",
              "warn",
              "error"
            ]
          },
          "message": {
            "type": "string"
          },
          "fields": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          }
        }
      },
      "SandboxLogs": {
        "type": "object",
        "required": [
          "logs",
          "logEntries"
        ],
        "properties": {
          "logs": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "timestamp",
                "line"
              ],
              "properties": {
                "timestamp": {
                  "type": "string",
                  "format": "date-time"
                },
                "line": {
                  "type": "string",
                  "description": "A JSON object with at least `level`, `logger` and `message`."
                }
              }
            }
          },
          "logEntries": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "timestamp",
                "level",
                "message",
                "fields"
              ],
              "properties": {
                "timestamp": {
                  "type": "string",
                  "format": "date-time"
                },
                "level": {
                  "type": "string",
                  "enum": [
                    "debug",
                    "info",
                    "warn",
                    "error"
                  ]
                },
                "message": {
                  "type": "string"
                },
                "fields": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                }
              }
            }
          }
        }
      },
      "SandboxLogsV2": {
        "type": "object",
        "required": [
          "logs"
        ],
        "properties": {
          "logs": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "timestamp",
                "level",
                "message",
                "fields"
              ],
              "properties": {
                "timestamp": {
                  "type": "string",
                  "format": "date-time"
                },
                "level": {
                  "type": "string",
                  "enum": [
                    "debug",
                    "info",
                    "warn",
                    "error"
                  ]
                },
                "message": {
                  "type": "string"
                },
                "fields": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                }
              }
            }
          }
        }
      },
      "Metadata": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        }
      },
      "MetadataPatch": {
        "type": "object",
        "description": "A string sets the key; `null` or `\"\"` removes it.",
        "additionalProperties": {
          "type": "string",
          "nullable": true
        }
      },
      "MetadataState": {
        "type": "object",
        "required": [
          "metadata",
          "revision",
          "appliedRevision"
        ],
        "properties": {
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "revision": {
            "type": "integer",
            "format": "int64",
            "description": "Grows with every effective edit."
          },
          "appliedRevision": {
            "type": "integer",
            "format": "int64",
            "description": "What the sandbox's node last confirmed."
          }
        }
      },
      "MetadataChange": {
        "type": "object",
        "required": [
          "time",
          "revision",
          "kind",
          "delta"
        ],
        "properties": {
          "time": {
            "type": "string",
            "format": "date-time"
          },
          "revision": {
            "type": "integer",
            "format": "int64"
          },
          "kind": {
            "type": "string",
            "description": "`created` with the sandbox, `edited` by a request; `adopted` from what the sandbox's node held after the store had lost something, or `merged`: the same, with edits over it that the store had taken meanwhile.",
            "enum": [
              "created",
              "edited",
              "adopted",
              "merged"
            ]
          },
          "delta": {
            "type": "object",
            "description": "A string sets the key; `null` or `\"\"` removes it.",
            "additionalProperties": {
              "type": "string",
              "nullable": true
            }
          },
          "apiKeyID": {
            "type": "string",
            "description": "Whose request it was; absent where it was none."
          }
        }
      },
      "MetadataHistory": {
        "type": "object",
        "required": [
          "changes"
        ],
        "properties": {
          "changes": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "time",
                "revision",
                "kind",
                "delta"
              ],
              "properties": {
                "time": {
                  "type": "string",
                  "format": "date-time"
                },
                "revision": {
                  "type": "integer",
                  "format": "int64"
                },
                "kind": {
                  "type": "string",
                  "description": "`created` with the sandbox, `edited` by a request; `adopted` from what the sandbox's node held after the store had lost something, or `merged`: the same, with edits over it that the store had taken meanwhile.",
                  "enum": [
                    "created",
                    "edited",
                    "adopted",
                    "merged"
                  ]
                },
                "delta": {
                  "type": "object",
                  "description": "A string sets the key; `null` or `\"\"` removes it.",
                  "additionalProperties": {
                    "type": "string",
                    "nullable": true
                  }
                },
                "apiKeyID": {
                  "type": "string",
                  "description": "Whose request it was; absent where it was none."
                }
              }
            }
          },
          "oldestRevision": {
            "type": "integer",
            "format": "int64",
            "description": "The oldest revision that the history tells of; absent when it tells of none."
          }
        }
      },
      "TimeoutSeconds": {
        "type": "integer",
        "format": "int32",
        "minimum": 0,
        "description": "Seconds from now."
      },
      "EnvVars": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        }
      },
      "NetworkConfig": {
        "type": "object",
        "properties": {
          "allowPublicTraffic": {
            "type": "boolean",
            "default": true,
            "description": "Whether the sandbox's ports answer without a traffic token."
          },
          "allowOut": {
            "type": "array",
            "maxItems": 256,
            "items": {
              "type": "string",
              "maxLength": 253
            },
            "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
          },
          "denyOut": {
            "type": "array",
            "maxItems": 256,
            "items": {
              "type": "string",
              "maxLength": 253
            },
            "description": "Addresses or CIDR blocks that it may not reach."
          },
          "maskRequestHost": {
            "type": "string",
            "maxLength": 253
          },
          "httpsPorts": {
            "type": "array",
            "maxItems": 256,
            "items": {
              "type": "integer",
              "minimum": 1,
              "maximum": 65535
            },
            "description": "Ports whose servers inside speak HTTPS."
          },
          "egressProxy": {
            "type": "object",
            "nullable": true,
            "additionalProperties": true,
            "description": "Not supported yet; anything but `null` is a 400."
          },
          "rules": {
            "type": "object",
            "additionalProperties": true,
            "description": "Not supported yet; anything but an empty object is a 400."
          }
        }
      },
      "NetworkUpdate": {
        "type": "object",
        "properties": {
          "allowOut": {
            "type": "array",
            "maxItems": 256,
            "items": {
              "type": "string",
              "maxLength": 253
            },
            "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
          },
          "denyOut": {
            "type": "array",
            "maxItems": 256,
            "items": {
              "type": "string",
              "maxLength": 253
            },
            "description": "Addresses or CIDR blocks that it may not reach."
          },
          "allow_internet_access": {
            "type": "boolean",
            "description": "`false` is the same as `0.0.0.0/0` in `denyOut`."
          },
          "egressProxy": {
            "type": "object",
            "nullable": true,
            "additionalProperties": true,
            "description": "Not supported yet; anything but `null` is a 400."
          },
          "rules": {
            "type": "object",
            "additionalProperties": true,
            "description": "Not supported yet; anything but an empty object is a 400."
          }
        }
      },
      "NetworkPending": {
        "type": "object",
        "required": [
          "revision",
          "appliedRevision"
        ],
        "properties": {
          "revision": {
            "type": "integer",
            "format": "int64"
          },
          "appliedRevision": {
            "type": "integer",
            "format": "int64",
            "description": "What the sandbox's node is known to go by."
          }
        }
      },
      "NewSandbox": {
        "type": "object",
        "required": [
          "templateID"
        ],
        "properties": {
          "templateID": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          },
          "timeout": {
            "type": "integer",
            "format": "int32",
            "default": 15,
            "description": "Seconds to live."
          },
          "autoPause": {
            "type": "boolean",
            "default": false,
            "description": "Pause at the end time instead of ending."
          },
          "autoPauseMemory": {
            "type": "boolean",
            "default": true
          },
          "autoResume": {
            "type": "object",
            "required": [
              "enabled"
            ],
            "properties": {
              "enabled": {
                "type": "boolean"
              }
            }
          },
          "secure": {
            "type": "boolean",
            "default": false,
            "description": "Require an access token for commands and files."
          },
          "allow_internet_access": {
            "type": "boolean"
          },
          "isolation": {
            "type": "string",
            "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
            "enum": [
              "runc",
              "gvisor"
            ]
          },
          "network": {
            "type": "object",
            "properties": {
              "allowPublicTraffic": {
                "type": "boolean",
                "default": true,
                "description": "Whether the sandbox's ports answer without a traffic token."
              },
              "allowOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
              },
              "denyOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that it may not reach."
              },
              "maskRequestHost": {
                "type": "string",
                "maxLength": 253
              },
              "httpsPorts": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 65535
                },
                "description": "Ports whose servers inside speak HTTPS."
              },
              "egressProxy": {
                "type": "object",
                "nullable": true,
                "additionalProperties": true,
                "description": "Not supported yet; anything but `null` is a 400."
              },
              "rules": {
                "type": "object",
                "additionalProperties": true,
                "description": "Not supported yet; anything but an empty object is a 400."
              }
            }
          },
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "envVars": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "mcp": {
            "type": "object",
            "nullable": true,
            "additionalProperties": true
          },
          "iam": {
            "type": "object",
            "additionalProperties": true
          },
          "volumeMounts": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "name",
                "path"
              ],
              "properties": {
                "name": {
                  "type": "string"
                },
                "path": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "NewSandboxV2": {
        "type": "object",
        "description": "As `NewSandbox`, and always secure.",
        "required": [
          "templateID"
        ],
        "properties": {
          "templateID": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128
          },
          "timeout": {
            "type": "integer",
            "format": "int32",
            "default": 300,
            "description": "Seconds to live."
          },
          "autoPause": {
            "type": "boolean",
            "default": false,
            "description": "Pause at the end time instead of ending."
          },
          "autoPauseMemory": {
            "type": "boolean",
            "default": true
          },
          "autoResume": {
            "type": "object",
            "required": [
              "enabled"
            ],
            "properties": {
              "enabled": {
                "type": "boolean"
              }
            }
          },
          "allow_internet_access": {
            "type": "boolean"
          },
          "isolation": {
            "type": "string",
            "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
            "enum": [
              "runc",
              "gvisor"
            ]
          },
          "network": {
            "type": "object",
            "properties": {
              "allowPublicTraffic": {
                "type": "boolean",
                "default": true,
                "description": "Whether the sandbox's ports answer without a traffic token."
              },
              "allowOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
              },
              "denyOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that it may not reach."
              },
              "maskRequestHost": {
                "type": "string",
                "maxLength": 253
              },
              "httpsPorts": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 65535
                },
                "description": "Ports whose servers inside speak HTTPS."
              },
              "egressProxy": {
                "type": "object",
                "nullable": true,
                "additionalProperties": true,
                "description": "Not supported yet; anything but `null` is a 400."
              },
              "rules": {
                "type": "object",
                "additionalProperties": true,
                "description": "Not supported yet; anything but an empty object is a 400."
              }
            }
          },
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "envVars": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "mcp": {
            "type": "object",
            "nullable": true,
            "additionalProperties": true
          },
          "iam": {
            "type": "object",
            "additionalProperties": true
          },
          "volumeMounts": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "name",
                "path"
              ],
              "properties": {
                "name": {
                  "type": "string"
                },
                "path": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "ConnectSandbox": {
        "type": "object",
        "required": [
          "timeout"
        ],
        "properties": {
          "timeout": {
            "type": "integer",
            "format": "int32",
            "minimum": 0,
            "description": "Seconds from now."
          },
          "memory": {
            "type": "boolean",
            "default": true
          }
        }
      },
      "ConnectSandboxV2": {
        "type": "object",
        "properties": {
          "timeout": {
            "type": "integer",
            "format": "int32",
            "minimum": 0,
            "default": 300,
            "description": "Seconds from now."
          },
          "memory": {
            "type": "boolean",
            "default": true
          }
        }
      },
      "VolumeMount": {
        "type": "object",
        "required": [
          "name",
          "path"
        ],
        "properties": {
          "name": {
            "type": "string"
          },
          "path": {
            "type": "string"
          }
        }
      },
      "Sandbox": {
        "type": "object",
        "required": [
          "templateID",
          "sandboxID",
          "clientID",
          "envdVersion"
        ],
        "properties": {
          "templateID": {
            "type": "string"
          },
          "sandboxID": {
            "type": "string"
          },
          "alias": {
            "type": "string"
          },
          "clientID": {
            "type": "string"
          },
          "envdVersion": {
            "type": "string"
          },
          "envdAccessToken": {
            "type": "string",
            "description": "For `X-Access-Token`; only for a secure sandbox."
          },
          "trafficAccessToken": {
            "type": "string",
            "nullable": true,
            "description": "For `e2b-traffic-access-token`; only without public traffic."
          },
          "domain": {
            "type": "string",
            "nullable": true,
            "description": "`<port>-<sandboxID>.<domain>` reaches a port of the sandbox."
          }
        }
      },
      "ListedSandbox": {
        "type": "object",
        "required": [
          "templateID",
          "sandboxID",
          "clientID",
          "startedAt",
          "cpuCount",
          "memoryMB",
          "diskSizeMB",
          "endAt",
          "state",
          "envdVersion"
        ],
        "properties": {
          "templateID": {
            "type": "string"
          },
          "alias": {
            "type": "string"
          },
          "sandboxID": {
            "type": "string"
          },
          "clientID": {
            "type": "string"
          },
          "startedAt": {
            "type": "string",
            "format": "date-time"
          },
          "endAt": {
            "type": "string",
            "format": "date-time"
          },
          "cpuCount": {
            "type": "integer",
            "format": "int32"
          },
          "memoryMB": {
            "type": "integer",
            "format": "int32"
          },
          "diskSizeMB": {
            "type": "integer",
            "format": "int32"
          },
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "state": {
            "type": "string",
            "enum": [
              "running",
              "paused"
            ]
          },
          "isolation": {
            "type": "string",
            "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
            "enum": [
              "runc",
              "gvisor"
            ]
          },
          "envdVersion": {
            "type": "string"
          },
          "volumeMounts": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "name",
                "path"
              ],
              "properties": {
                "name": {
                  "type": "string"
                },
                "path": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "Lifecycle": {
        "type": "object",
        "required": [
          "autoResume",
          "onTimeout"
        ],
        "properties": {
          "autoResume": {
            "type": "boolean"
          },
          "onTimeout": {
            "type": "string",
            "enum": [
              "kill",
              "pause"
            ]
          }
        }
      },
      "SandboxDetail": {
        "type": "object",
        "required": [
          "templateID",
          "sandboxID",
          "clientID",
          "startedAt",
          "cpuCount",
          "memoryMB",
          "diskSizeMB",
          "endAt",
          "state",
          "envdVersion"
        ],
        "properties": {
          "templateID": {
            "type": "string"
          },
          "alias": {
            "type": "string"
          },
          "sandboxID": {
            "type": "string"
          },
          "clientID": {
            "type": "string"
          },
          "startedAt": {
            "type": "string",
            "format": "date-time"
          },
          "endAt": {
            "type": "string",
            "format": "date-time"
          },
          "cpuCount": {
            "type": "integer",
            "format": "int32"
          },
          "memoryMB": {
            "type": "integer",
            "format": "int32"
          },
          "diskSizeMB": {
            "type": "integer",
            "format": "int32"
          },
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          "state": {
            "type": "string",
            "enum": [
              "running",
              "paused"
            ]
          },
          "isolation": {
            "type": "string",
            "description": "`runc`: namespaces and filters over the host's kernel; `gvisor`: a kernel of its own.",
            "enum": [
              "runc",
              "gvisor"
            ]
          },
          "envdVersion": {
            "type": "string"
          },
          "envdAccessToken": {
            "type": "string"
          },
          "allowInternetAccess": {
            "type": "boolean",
            "nullable": true
          },
          "domain": {
            "type": "string",
            "nullable": true
          },
          "network": {
            "type": "object",
            "properties": {
              "allowPublicTraffic": {
                "type": "boolean",
                "default": true,
                "description": "Whether the sandbox's ports answer without a traffic token."
              },
              "allowOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that the sandbox may reach; win over `denyOut`. Where `denyOut` holds `0.0.0.0/0`, also names, `example.com` or `*.example.com`, whose servers it may reach over HTTP on port 80 and TLS on 443."
              },
              "denyOut": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "string",
                  "maxLength": 253
                },
                "description": "Addresses or CIDR blocks that it may not reach."
              },
              "maskRequestHost": {
                "type": "string",
                "maxLength": 253
              },
              "httpsPorts": {
                "type": "array",
                "maxItems": 256,
                "items": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 65535
                },
                "description": "Ports whose servers inside speak HTTPS."
              },
              "egressProxy": {
                "type": "object",
                "nullable": true,
                "additionalProperties": true,
                "description": "Not supported yet; anything but `null` is a 400."
              },
              "rules": {
                "type": "object",
                "additionalProperties": true,
                "description": "Not supported yet; anything but an empty object is a 400."
              }
            }
          },
          "lifecycle": {
            "type": "object",
            "required": [
              "autoResume",
              "onTimeout"
            ],
            "properties": {
              "autoResume": {
                "type": "boolean"
              },
              "onTimeout": {
                "type": "string",
                "enum": [
                  "kill",
                  "pause"
                ]
              }
            }
          },
          "volumeMounts": {
            "type": "array",
            "items": {
              "type": "object",
              "required": [
                "name",
                "path"
              ],
              "properties": {
                "name": {
                  "type": "string"
                },
                "path": {
                  "type": "string"
                }
              }
            }
          }
        }
      },
      "SandboxEventType": {
        "type": "string",
        "enum": [
          "sandbox.lifecycle.created",
          "sandbox.lifecycle.updated",
          "sandbox.lifecycle.paused",
          "sandbox.lifecycle.resumed",
          "sandbox.lifecycle.checkpointed",
          "sandbox.lifecycle.killed",
          "sandbox.lifecycle.lost"
        ]
      },
      "SandboxEvent": {
        "type": "object",
        "required": [
          "version",
          "id",
          "type",
          "timestamp",
          "eventData",
          "sandboxId",
          "sandboxExecutionId",
          "sandboxTemplateId",
          "sandboxBuildId",
          "sandboxTeamId",
          "metadataRevision"
        ],
        "properties": {
          "version": {
            "type": "string",
            "enum": [
              "v2"
            ]
          },
          "id": {
            "type": "string",
            "description": "Decimal digits; grows with every event of the team."
          },
          "type": {
            "type": "string",
            "enum": [
              "sandbox.lifecycle.created",
              "sandbox.lifecycle.updated",
              "sandbox.lifecycle.paused",
              "sandbox.lifecycle.resumed",
              "sandbox.lifecycle.checkpointed",
              "sandbox.lifecycle.killed",
              "sandbox.lifecycle.lost"
            ]
          },
          "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "By the store's clock."
          },
          "eventData": {
            "type": "object",
            "properties": {
              "sandbox_metadata": {
                "allOf": [
                  {
                    "type": "object",
                    "additionalProperties": {
                      "type": "string"
                    }
                  }
                ],
                "description": "The metadata at that moment; absent where one field was updated."
              },
              "metadata_delta": {
                "type": "object",
                "additionalProperties": {
                  "type": "string",
                  "nullable": true
                },
                "description": "What an edit of the metadata changed; null for a key that it removed."
              },
              "set_timeout": {
                "type": "string",
                "format": "date-time",
                "description": "The new end time."
              },
              "network_egress": {
                "type": "object",
                "required": [
                  "allowed_cidrs",
                  "denied_cidrs",
                  "allowed_domains"
                ],
                "description": "The new network rules.",
                "properties": {
                  "allowed_cidrs": {
                    "type": "array",
                    "items": {
                      "type": "string"
                    }
                  },
                  "denied_cidrs": {
                    "type": "array",
                    "items": {
                      "type": "string"
                    }
                  },
                  "allowed_domains": {
                    "type": "array",
                    "items": {
                      "type": "string"
                    }
                  }
                }
              },
              "found": {
                "type": "boolean",
                "enum": [
                  true
                ],
                "description": "The sandbox was lost, or the store had forgotten it, and its node has reported it."
              },
              "cause": {
                "type": "string",
                "enum": [
                  "requested",
                  "timeout",
                  "client_gone",
                  "start_failed",
                  "overdue",
                  "node_says_gone",
                  "exited",
                  "node_shutdown",
                  "unknown"
                ],
                "description": "Why it was killed."
              },
              "execution": {
                "type": "object",
                "required": [
                  "started_at",
                  "vcpu_count",
                  "memory_mb",
                  "execution_time"
                ],
                "description": "The execution that a pause or a kill ended.",
                "properties": {
                  "started_at": {
                    "type": "string",
                    "format": "date-time"
                  },
                  "vcpu_count": {
                    "type": "integer",
                    "format": "int32"
                  },
                  "memory_mb": {
                    "type": "integer",
                    "format": "int32"
                  },
                  "execution_time": {
                    "type": "integer",
                    "format": "int64",
                    "description": "Milliseconds."
                  }
                }
              }
            }
          },
          "sandboxId": {
            "type": "string"
          },
          "sandboxExecutionId": {
            "type": "string"
          },
          "sandboxTemplateId": {
            "type": "string"
          },
          "sandboxBuildId": {
            "type": "string",
            "description": "The template's id; templates have no builds of their own yet."
          },
          "sandboxTeamId": {
            "type": "string"
          },
          "metadataRevision": {
            "type": "integer",
            "format": "int64",
            "description": "The metadata's revision at that moment."
          },
          "apiKeyId": {
            "type": "string",
            "description": "Whose request it was; absent where nobody asked."
          }
        }
      },
      "SandboxEventData": {
        "type": "object",
        "properties": {
          "sandbox_metadata": {
            "allOf": [
              {
                "type": "object",
                "additionalProperties": {
                  "type": "string"
                }
              }
            ],
            "description": "The metadata at that moment; absent where one field was updated."
          },
          "metadata_delta": {
            "type": "object",
            "additionalProperties": {
              "type": "string",
              "nullable": true
            },
            "description": "What an edit of the metadata changed; null for a key that it removed."
          },
          "set_timeout": {
            "type": "string",
            "format": "date-time",
            "description": "The new end time."
          },
          "network_egress": {
            "type": "object",
            "required": [
              "allowed_cidrs",
              "denied_cidrs",
              "allowed_domains"
            ],
            "description": "The new network rules.",
            "properties": {
              "allowed_cidrs": {
                "type": "array",
                "items": {
                  "type": "string"
                }
              },
              "denied_cidrs": {
                "type": "array",
                "items": {
                  "type": "string"
                }
              },
              "allowed_domains": {
                "type": "array",
                "items": {
                  "type": "string"
                }
              }
            }
          },
          "found": {
            "type": "boolean",
            "enum": [
              true
            ],
            "description": "The sandbox was lost, or the store had forgotten it, and its node has reported it."
          },
          "cause": {
            "type": "string",
            "enum": [
              "requested",
              "timeout",
              "client_gone",
              "start_failed",
              "overdue",
              "node_says_gone",
              "exited",
              "node_shutdown",
              "unknown"
            ],
            "description": "Why it was killed."
          },
          "execution": {
            "type": "object",
            "required": [
              "started_at",
              "vcpu_count",
              "memory_mb",
              "execution_time"
            ],
            "description": "The execution that a pause or a kill ended.",
            "properties": {
              "started_at": {
                "type": "string",
                "format": "date-time"
              },
              "vcpu_count": {
                "type": "integer",
                "format": "int32"
              },
              "memory_mb": {
                "type": "integer",
                "format": "int32"
              },
              "execution_time": {
                "type": "integer",
                "format": "int64",
                "description": "Milliseconds."
              }
            }
          }
        }
      },
      "NewWebhook": {
        "type": "object",
        "required": [
          "name",
          "url",
          "events"
        ],
        "properties": {
          "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 256
          },
          "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 2048,
            "description": "An http:// or https:// URL."
          },
          "enabled": {
            "type": "boolean",
            "default": true
          },
          "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "items": {
              "type": "string",
              "enum": [
                "sandbox.lifecycle.created",
                "sandbox.lifecycle.updated",
                "sandbox.lifecycle.paused",
                "sandbox.lifecycle.resumed",
                "sandbox.lifecycle.checkpointed",
                "sandbox.lifecycle.killed",
                "sandbox.lifecycle.lost"
              ]
            }
          },
          "signatureSecret": {
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "description": "What deliveries are signed with; made and told once when absent."
          }
        }
      },
      "WebhookUpdate": {
        "type": "object",
        "properties": {
          "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 256
          },
          "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 2048,
            "description": "An http:// or https:// URL."
          },
          "enabled": {
            "type": "boolean"
          },
          "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "items": {
              "type": "string",
              "enum": [
                "sandbox.lifecycle.created",
                "sandbox.lifecycle.updated",
                "sandbox.lifecycle.paused",
                "sandbox.lifecycle.resumed",
                "sandbox.lifecycle.checkpointed",
                "sandbox.lifecycle.killed",
                "sandbox.lifecycle.lost"
              ]
            }
          },
          "signatureSecret": {
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "description": "What deliveries are signed with from now on."
          }
        }
      },
      "Webhook": {
        "type": "object",
        "required": [
          "id",
          "teamID",
          "teamId",
          "name",
          "url",
          "enabled",
          "events",
          "createdAt"
        ],
        "properties": {
          "id": {
            "type": "string"
          },
          "teamID": {
            "type": "string"
          },
          "teamId": {
            "type": "string"
          },
          "name": {
            "type": "string"
          },
          "url": {
            "type": "string"
          },
          "enabled": {
            "type": "boolean"
          },
          "events": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "sandbox.lifecycle.created",
                "sandbox.lifecycle.updated",
                "sandbox.lifecycle.paused",
                "sandbox.lifecycle.resumed",
                "sandbox.lifecycle.checkpointed",
                "sandbox.lifecycle.killed",
                "sandbox.lifecycle.lost"
              ]
            }
          },
          "createdAt": {
            "type": "string",
            "format": "date-time"
          }
        }
      },
      "CreatedWebhook": {
        "allOf": [
          {
            "type": "object",
            "required": [
              "id",
              "teamID",
              "teamId",
              "name",
              "url",
              "enabled",
              "events",
              "createdAt"
            ],
            "properties": {
              "id": {
                "type": "string"
              },
              "teamID": {
                "type": "string"
              },
              "teamId": {
                "type": "string"
              },
              "name": {
                "type": "string"
              },
              "url": {
                "type": "string"
              },
              "enabled": {
                "type": "boolean"
              },
              "events": {
                "type": "array",
                "items": {
                  "type": "string",
                  "enum": [
                    "sandbox.lifecycle.created",
                    "sandbox.lifecycle.updated",
                    "sandbox.lifecycle.paused",
                    "sandbox.lifecycle.resumed",
                    "sandbox.lifecycle.checkpointed",
                    "sandbox.lifecycle.killed",
                    "sandbox.lifecycle.lost"
                  ]
                }
              },
              "createdAt": {
                "type": "string",
                "format": "date-time"
              }
            }
          },
          {
            "type": "object",
            "properties": {
              "signatureSecret": {
                "type": "string",
                "description": "The secret that was made, where none was given; it is never shown again."
              }
            }
          }
        ]
      },
      "DeadLetter": {
        "type": "object",
        "required": [
          "eventId",
          "sandboxId",
          "attempts",
          "timestamp",
          "error"
        ],
        "properties": {
          "eventId": {
            "type": "string"
          },
          "sandboxId": {
            "type": "string"
          },
          "attempts": {
            "type": "integer",
            "format": "int32"
          },
          "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "When it was given up."
          },
          "error": {
            "type": "string",
            "description": "What was wrong the last time."
          },
          "payload": {
            "type": "string",
            "description": "The body that was sent; absent when it was over 16 KiB, or the event is no longer kept."
          }
        }
      }
    }
  }
};

export const openapiDocument: OpenApiDocument = document;

import myapp
import skitai

if __name__ == "__main__":
    with skitai.preference() as pref:
        skitai.mount("/", myapp, pref)

    skitai.run(port=5000, name="myapp")
